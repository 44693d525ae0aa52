"""Why an image or a box is refused."""

ACCEPTED_FORMATS = "JPEG, PNG or WebP"


class ImageRefused(ValueError):
    """Bytes that are not an image this project takes.

    `reason` is one of EMPTY, NOT_AN_IMAGE, UNSUPPORTED_FORMAT, CORRUPT, TOO_BIG, TOO_MANY_PIXELS,
    TOO_SMALL, BAD_SHAPE. `message` is public: one sentence, never a path or a decoder's own text.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class BoxRefused(ValueError):
    """A box that nothing can be cut out with.

    `reason` is one of BAD_BOX (not four finite numbers in order), BOX_OUTSIDE (no overlap with the
    image), BOX_TOO_SMALL. `message` is public.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def not_an_image() -> ImageRefused:
    """The refusal of bytes that are no image of any known kind."""
    return ImageRefused("NOT_AN_IMAGE", f"This file is not an image; send a {ACCEPTED_FORMATS} file.")


def corrupt() -> ImageRefused:
    """The refusal of an image file that is cut short or damaged."""
    return ImageRefused("CORRUPT", "The image file is damaged or incomplete; save or upload it again.")
