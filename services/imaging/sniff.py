"""Tells a file's format from its first bytes, never from its name."""

from typing import Literal

from services.imaging.refusals import ACCEPTED_FORMATS, ImageRefused, not_an_image

Format = Literal["JPEG", "PNG", "WEBP"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


def sniff_format(data: bytes) -> Format:
    """Return the format of `data`; raise `ImageRefused` for any but JPEG, PNG and WebP.

    Formats that are images, only not accepted ones, are named in the refusal, so that the person
    knows what to convert.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(PNG_SIGNATURE):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if name := _name_of_unsupported(data):
        raise ImageRefused(
            "UNSUPPORTED_FORMAT", f"This is a file of type {name}; send a {ACCEPTED_FORMATS} file."
        )
    raise not_an_image()


def _name_of_unsupported(data: bytes) -> str | None:
    head = data[:16]
    signatures = {
        b"GIF87a": "GIF",
        b"GIF89a": "GIF",
        b"II*\x00": "TIFF",
        b"MM\x00*": "TIFF",
        b"II+\x00": "TIFF",
        b"MM\x00+": "TIFF",
        b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
        b"\xff\x4f\xff\x51": "JPEG 2000",
        b"\x00\x00\x00\x0cJXL ": "JPEG XL",
        b"\xff\x0a": "JPEG XL",
        b"\x00\x00\x01\x00": "ICO",
        b"8BPS": "PSD",
        b"%!PS": "EPS",
        b"\xc5\xd0\xd3\xc6": "EPS",
    }
    for signature, name in signatures.items():
        if head.startswith(signature):
            return name
    if head[4:8] == b"ftyp":
        if head[8:12] in {b"avif", b"avis"}:
            return "AVIF"
        if head[8:12] in _HEIF_BRANDS:
            # A HEIF container may still hold AV1: the compatible brands tell.
            return "AVIF" if b"avif" in data[16:64] else "HEIC"
    if head.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<svg") or (
        text.startswith((b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in text
    ):
        return "SVG"
    return None
