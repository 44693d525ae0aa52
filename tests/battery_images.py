"""The good, odd and hostile image files of the tests, made by code; nothing is stored."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image


def photo(width_px: int = 320, height_px: int = 240, seed: int = 7) -> Image.Image:
    """A picture with smooth areas and detail, so that it compresses like a photo."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width_px, height_px), Image.Resampling.BICUBIC))
    noise = rng.integers(-12, 13, (height_px, width_px, 1))
    return Image.fromarray(np.clip(smooth.astype(np.int16) + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, format_name: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format_name, **options)
    return out.getvalue()


def jpeg(width_px: int = 320, height_px: int = 240, **options: object) -> bytes:
    return encode(photo(width_px, height_px), "JPEG", **options)


def big_jpeg(width_px: int, height_px: int) -> bytes:
    """A JPEG of many pixels, made fast: a small photo enlarged, moderate quality."""
    return encode(
        photo(400, 300).resize((width_px, height_px), Image.Resampling.BILINEAR), "JPEG", quality=80
    )


def quadrants(width_px: int = 80, height_px: int = 48) -> Image.Image:
    """Red, green, blue, black quarters, so that every orientation can be told."""
    image = Image.new("RGB", (width_px, height_px))
    half_w, half_h = width_px // 2, height_px // 2
    image.paste((255, 0, 0), (0, 0, half_w, half_h))
    image.paste((0, 255, 0), (half_w, 0, width_px, half_h))
    image.paste((0, 0, 255), (0, half_h, half_w, height_px))
    return image


def stored_turned(image: Image.Image, orientation: int) -> Image.Image:
    """`image` as a camera would store it with this EXIF orientation."""
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(inverse[orientation]) if orientation in inverse else image


def exif(orientation: int, *, gps: bool = False) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    if gps:
        data.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
        data[0x010E] = "secret-holiday-home"
    return data.tobytes()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def insert_png_chunks(png: bytes, chunks: bytes) -> bytes:
    """Put `chunks` right behind the header chunk."""
    return png[:33] + chunks + png[33:]


def png_with_size(width_px: int, height_px: int, payload_bytes: int = 0) -> bytes:
    """A PNG that claims a size; its pixel data is `payload_bytes` of compressed zeros, whatever the size."""
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(payload_bytes), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", pixels)
        + png_chunk(b"IEND", b"")
    )


def with_appended_zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("payload.txt", "x" * 50_000)
    return data + out.getvalue()


def many_scans_jpeg(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: each copy costs a decoder a pass over the image."""
    data = encode(photo(64, 64), "JPEG", progressive=True)
    last_scan = data.rfind(b"\xff\xda")
    return data[:last_scan] + data[last_scan:-2] * scans + b"\xff\xd9"


def grey16_ramp() -> Image.Image:
    """A 16-bit grey picture from black to white, left to right."""
    return Image.fromarray(np.tile(np.linspace(0, 65535, 64, dtype=np.uint16), (32, 1)))


def rgb16_png(colour: tuple[int, int, int], side_px: int = 16) -> bytes:
    """A 16-bit RGB PNG of one colour, which Pillow cannot write."""
    header = struct.pack(">IIBBBBB", side_px, side_px, 16, 2, 0, 0, 0)
    row = b"\x00" + struct.pack(">HHH", *colour) * side_px
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(row * side_px))
        + png_chunk(b"IEND", b"")
    )


def animation(format_name: str) -> bytes:
    """Two frames, red then blue."""
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "blue")]
    return encode(
        frames[0], format_name, save_all=True, append_images=frames[1:], duration=100, lossless=True
    )


NOT_IMAGES: dict[str, bytes] = {
    "text": b"just words, in a file named .jpg\n" * 20,
    "html": b"<!DOCTYPE html><html><body>no</body></html>",
    "zip": with_appended_zip(b""),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "jpeg magic only": b"\xff\xd8\xff",
    "random megabyte": np.random.default_rng(1).bytes(1_000_000),
    "png signature only": b"\x89PNG\r\n\x1a\n",
    "riff of sound": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40),
    "png of no width": png_with_size(0, 10),
    "webp of no size": b"RIFF\x20\x00\x00\x00WEBPVP8 \x14\x00\x00\x00\x00\x00\x00\x9d\x01\x2a" + bytes(20),
}


def unsupported_files() -> dict[str, bytes]:
    """Image files of kinds that are refused by name."""
    image = photo(64, 48)
    return {
        "GIF": encode(image, "GIF"),
        "AVIF": encode(image, "AVIF"),
        "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
        "TIFF": encode(image, "TIFF"),
        "JPEG 2000": encode(image, "JPEG2000"),
        "BMP": encode(image, "BMP"),
        "ICO": encode(image, "ICO"),
        "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">'
        b'<image href="http://127.0.0.1:9/x.png"/></svg>',
        "EPS": encode(image, "EPS"),
    }
