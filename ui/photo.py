"""The room photo that a visitor works with: from an upload or from the catalogue.

An upload becomes two JPEG files without metadata, in memory: a small one for the screen
and a larger one for queries. The file itself is deleted as soon as it is read. Boxes are
in pixels of the full-size upright image; `Photo.query_box` converts.
"""

from __future__ import annotations

import math
import unicodedata
import uuid
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath

from PIL import Image as PillowImage

from services.imaging import Box, ImageLimits, ImageRefused, decode_image, encode_jpeg, read_header

SHOWN_SIDE_PX = 1600
QUERY_SIDE_PX = 3072
_NAME_CHARACTERS = 80


@dataclass(frozen=True)
class QueryImage:
    """An upright JPEG to search with, perhaps smaller than the photo."""

    jpeg: bytes = field(repr=False)
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Photo:
    """A photo as the page keeps it. Sizes are those of the full-size upright image."""

    photo_id: str
    name: str
    width_px: int
    height_px: int
    shown_jpeg: bytes = field(repr=False)
    query: QueryImage = field(repr=False)

    def query_box(self, box: Box) -> Box:
        """A box of the full-size image in the frame of `query`."""
        return box.scaled(self.query.width_px / self.width_px, self.query.height_px / self.height_px)


def photo_from_upload(data: bytes, name: str, limits: ImageLimits) -> Photo:
    """A photo from the bytes of an uploaded file.

    Raises:
        ImageRefused: the bytes are no picture that the services take.
    """
    header = read_header(data, limits)
    # Decoding at the size that is needed, not at 35 megapixels, is what keeps this under a second.
    shrink = min(1.0, QUERY_SIDE_PX / max(header.width_px, header.height_px))
    enough = (math.ceil(header.width_px * shrink), math.ceil(header.height_px * shrink))
    image = decode_image(data, limits, enough_px=enough)
    return _photo(image, shown_name(name), header.width_px, header.height_px)


def photo_from_catalog(jpeg: bytes, name: str, width_px: int, height_px: int) -> Photo:
    """A photo from a stored scene's image; `jpeg` may be smaller than the scene."""
    return _photo(decode_image(jpeg), name, width_px, height_px)


def read_upload(path: str, upload_dir: Path, max_bytes: int) -> bytes:
    """The bytes of a file that the visitor uploaded, which is deleted.

    Only a plain file inside `upload_dir` is touched, whatever `path` says.

    Raises:
        ImageRefused: the file is not there (UPLOAD_GONE) or too big (TOO_BIG).
    """
    gone = ImageRefused("UPLOAD_GONE", "The uploaded photo is not there any more: choose it again.")
    try:
        file = Path(path).resolve()
        if not file.is_relative_to(upload_dir.resolve()) or not file.is_file():
            raise gone
        try:
            if file.stat().st_size > max_bytes:
                raise too_big(max_bytes)
            return file.read_bytes()
        finally:
            file.unlink(missing_ok=True)
    except (OSError, ValueError) as problem:
        if isinstance(problem, ImageRefused):
            raise
        raise gone from problem


def too_big(max_bytes: int) -> ImageRefused:
    """The refusal of a file over the limit, in the words that every part of the page uses."""
    return ImageRefused(
        "TOO_BIG", f"This file is larger than {max_bytes // 1_000_000} MB: choose a smaller one."
    )


def shown_name(name: str) -> str:
    """A file name fit to be shown: base name only, no control or direction characters, not too long."""
    base = PurePosixPath(PureWindowsPath(name).name).name
    plain = "".join(letter for letter in base if unicodedata.category(letter)[0] != "C").strip()
    if len(plain) > _NAME_CHARACTERS:
        plain = plain[: _NAME_CHARACTERS - 1] + "…"
    return plain or "photo"


def _photo(image: PillowImage.Image, name: str, width_px: int, height_px: int) -> Photo:
    query = encode_jpeg(image, max_side_px=QUERY_SIDE_PX, quality=92)
    with PillowImage.open(BytesIO(query), formats=["JPEG"]) as written:
        query_image = QueryImage(query, *written.size)
    return Photo(
        photo_id=uuid.uuid4().hex,
        name=name,
        width_px=width_px,
        height_px=height_px,
        shown_jpeg=encode_jpeg(image, max_side_px=SHOWN_SIDE_PX, quality=85),
        query=query_image,
    )
