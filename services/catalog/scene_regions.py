"""The regions file: boxes grouped by scene, checked against the photo and the products."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from services.catalog import fields
from services.catalog.fields import CellRefusedError
from services.catalog.rows import RegionRow, RowError
from services.catalog.tables import TableRow, read_table
from services.imaging import Box, BoxRefused, ImageRefused, read_header

REGION_COLUMNS = ("scene_id", "x_min", "y_min", "x_max", "y_max")
MAX_REGIONS_PER_SCENE = 200
_KNOWN = frozenset((*REGION_COLUMNS, "product_id"))


class SceneRegions:
    """All regions of a catalogue, to be taken scene by scene."""

    def __init__(self, path: Path | None, product_ids: frozenset[str]) -> None:
        self._name = path.name if path else ""
        self._product_ids = product_ids
        self._errors: list[RowError] = []
        self._by_scene: dict[str, list[RegionRow]] = {}
        for row in read_table(path, REGION_COLUMNS) if path else ():
            if isinstance(row, RowError):
                self._errors.append(row)
                continue
            try:
                region = self._region(row)
                self._by_scene.setdefault(region.scene_id, []).append(region)
            except CellRefusedError as error:
                self._errors.append(RowError(self._name, row.line, error.reason, error.message))

    def of_scene(
        self, scene_id: str, photo: Path | None
    ) -> tuple[tuple[RegionRow, ...], tuple[RowError, ...]]:
        """The good and the refused regions of a scene; they are no longer held here afterwards.

        `photo` None leaves the boxes unchecked against the photo. Raises CellRefusedError when the photo is
        no image; its regions then stay, and are reported by `left_over`.
        """
        regions = self._by_scene.get(scene_id, [])
        size_px = _size_px(photo) if photo and regions else None
        self._by_scene.pop(scene_id, None)
        good: list[RegionRow] = []
        refused: list[RowError] = []
        for region in regions:
            try:
                self._check(region, size_px, len(good))
                good.append(region)
            except CellRefusedError as error:
                refused.append(RowError(self._name, region.line, error.reason, error.message))
        return tuple(good), tuple(refused)

    def left_over(self) -> Iterator[RowError]:
        """What is refused without regard to a scene: unreadable rows, and regions whose scene nobody took."""
        yield from self._errors
        for scene_id, regions in self._by_scene.items():
            for region in regions:
                message = f'The scene "{scene_id}" is not in the catalogue, or was refused.'
                yield RowError(self._name, region.line, "UNKNOWN_SCENE", message)

    def _region(self, row: TableRow) -> RegionRow:
        return RegionRow(
            scene_id=fields.identifier(row.cells, "scene_id"),
            x_min=fields.number(row.cells, "x_min"),
            y_min=fields.number(row.cells, "y_min"),
            x_max=fields.number(row.cells, "x_max"),
            y_max=fields.number(row.cells, "y_max"),
            product_id=fields.optional_text(row.cells, "product_id", fields.MAX_ID_BYTES),
            extra=fields.further_columns(row.cells, _KNOWN),
            file=self._name,
            line=row.line,
        )

    def _check(self, region: RegionRow, size_px: tuple[int, int] | None, taken: int) -> None:
        if region.product_id and region.product_id not in self._product_ids:
            message = f'The product "{region.product_id}" is not in the catalogue, or was refused.'
            raise CellRefusedError("UNKNOWN_PRODUCT", message)
        if region.x_min >= region.x_max or region.y_min >= region.y_max:
            raise CellRefusedError(
                "BAD_BOX", "The box is reversed or empty: x_min < x_max and y_min < y_max."
            )
        if taken == MAX_REGIONS_PER_SCENE:
            raise CellRefusedError(
                "TOO_MANY_REGIONS", f"A scene has at most {MAX_REGIONS_PER_SCENE} regions."
            )
        if size_px is None:
            return
        try:
            Box(region.x_min, region.y_min, region.x_max, region.y_max).clipped(*size_px)
        except BoxRefused as error:
            raise CellRefusedError(error.reason, error.message) from error


def _size_px(photo: Path) -> tuple[int, int]:
    """Width and height of the EXIF-upright photo."""
    try:
        header = read_header(photo.read_bytes())
    except ImageRefused as error:
        raise CellRefusedError(
            error.reason, f"The photo {photo.name} cannot be used: {error.message}"
        ) from error
    except OSError as error:
        raise CellRefusedError("IMAGE_UNREADABLE", f"The photo {photo.name} cannot be read.") from error
    return header.width_px, header.height_px
