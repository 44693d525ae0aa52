"""A catalogue folder: products, scenes and regions, read row by row.

    catalog = read_catalog(Path("my-shop"))
    for product in catalog.products(on_error=print):
        ...
    for scene in catalog.scenes(on_error=print):  # with its regions
        ...

The format is described in README.md beside this file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from services.catalog import fields
from services.catalog.fields import CellRefusedError
from services.catalog.rows import ProductRow, RowError, SceneRow
from services.catalog.scene_regions import SceneRegions
from services.catalog.tables import CatalogUnreadableError, TableRow, find_table, read_table

PRODUCT_COLUMNS = ("product_id", "title", "category", "image")
SCENE_COLUMNS = ("scene_id", "image")
MAX_IMAGES_PER_PRODUCT = 16
_PRODUCT_KNOWN = frozenset((*PRODUCT_COLUMNS, "price", "currency", "url"))
_SCENE_KNOWN = frozenset(SCENE_COLUMNS)

OnError = Callable[[RowError], None]


def ignore_errors(error: RowError) -> None:
    """Forget a refused row."""


def read_catalog(path: Path | str) -> Catalog:
    """Open the catalogue folder `path`; its rows are read when they are iterated.

    Raises CatalogUnreadableError, in one sentence, when `path` is no folder, has neither products nor scenes,
    or has one table in two formats.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise CatalogUnreadableError(f"{folder} is not a folder.")
    folder = folder.resolve()
    tables = {stem: find_table(folder, stem) for stem in ("products", "scenes", "regions")}
    if not tables["products"] and not tables["scenes"]:
        raise CatalogUnreadableError(
            f"{folder} has no products.csv and no scenes.csv (.jsonl and .parquet would do as well)."
        )
    return Catalog(folder, tables["products"], tables["scenes"], tables["regions"])


class Catalog:
    """The rows of a catalogue folder, as often as they are asked for.

    Memory: the ids of products and scenes, all regions, and the products whose rows are not yet all read.
    """

    def __init__(
        self, folder: Path, products_file: Path | None, scenes_file: Path | None, regions_file: Path | None
    ) -> None:
        self.folder = folder
        self.products_file = products_file
        self.scenes_file = scenes_file
        self.regions_file = regions_file
        self._rows_per_product: Counter[str] | None = None
        self._good_product_ids: frozenset[str] | None = None

    def products(self, on_error: OnError = ignore_errors) -> Iterator[ProductRow]:
        """Yield the good products, each when its last row has been read; refused rows go to `on_error`."""
        if self.products_file is None:
            return
        rows_left = Counter(self._count_rows())
        open_products: dict[str, _Merging] = {}
        good_ids: set[str] = set()
        for row in read_table(self.products_file, PRODUCT_COLUMNS):
            if isinstance(row, RowError):
                on_error(row)
                continue
            product_id = row.cells["product_id"]
            merging = open_products.setdefault(product_id, _Merging())
            try:
                merging.add(self._product(row, merging.product))
            except CellRefusedError as error:
                on_error(RowError(self.products_file.name, row.line, error.reason, error.message))
            rows_left[product_id] -= 1
            if rows_left[product_id] <= 0:
                del open_products[product_id]
                if merging.product is not None:
                    good_ids.add(product_id)
                    yield merging.product
        self._good_product_ids = frozenset(good_ids)

    def scenes(self, on_error: OnError = ignore_errors, *, check_boxes: bool = True) -> Iterator[SceneRow]:
        """Yield the good scenes with their good regions; refused rows go to `on_error`.

        With `check_boxes` the header of every photo with regions is read, so that boxes outside it and photos
        that are none are refused here; without, the files are only known to exist.
        """
        regions = SceneRegions(self.regions_file, self.good_product_ids())
        seen: set[str] = set()
        for row in read_table(self.scenes_file, SCENE_COLUMNS) if self.scenes_file else ():
            if isinstance(row, RowError):
                on_error(row)
                continue
            try:
                scene = self._scene(row)
                if scene.scene_id in seen:
                    raise CellRefusedError(
                        "DUPLICATE_ID", f'The scene "{scene.scene_id}" is already in this file.'
                    )
                seen.add(scene.scene_id)
                found, refused = regions.of_scene(scene.scene_id, scene.image if check_boxes else None)
            except CellRefusedError as error:
                on_error(RowError(self._scenes_name, row.line, error.reason, error.message))
                continue
            for region_error in refused:
                on_error(region_error)
            yield replace(scene, regions=found)
        for region_error in regions.left_over():
            on_error(region_error)

    def good_product_ids(self) -> frozenset[str]:
        """Ids of the products that are not refused."""
        if self._good_product_ids is None:
            for _ in self.products():
                pass
        return self._good_product_ids or frozenset()

    def product_ids(self) -> frozenset[str]:
        """Ids in the products file, those of refused rows included."""
        return frozenset(self._count_rows())

    def scene_ids(self) -> frozenset[str]:
        """Ids in the scenes file, those of refused rows included."""
        if self.scenes_file is None:
            return frozenset()
        rows = read_table(self.scenes_file, SCENE_COLUMNS)
        return frozenset(row.cells["scene_id"] for row in rows if isinstance(row, TableRow))

    def check(self) -> CatalogCheck:
        """Read everything and report what is there and what was refused."""
        errors: list[RowError] = []
        products = images = scenes = regions = 0
        for product in self.products(errors.append):
            products += 1
            images += len(product.images)
        for scene in self.scenes(errors.append):
            scenes += 1
            regions += len(scene.regions)
        return CatalogCheck(products, images, scenes, regions, tuple(errors))

    @property
    def _scenes_name(self) -> str:
        return self.scenes_file.name if self.scenes_file else "scenes.csv"

    def _count_rows(self) -> Counter[str]:
        """Rows of each product id, so that a product can be let go with its last row."""
        if self._rows_per_product is None:
            rows = read_table(self.products_file, PRODUCT_COLUMNS) if self.products_file else ()
            self._rows_per_product = Counter(
                row.cells["product_id"] for row in rows if isinstance(row, TableRow)
            )
        return self._rows_per_product

    def _product(self, row: TableRow, first: ProductRow | None) -> ProductRow:
        """The product of one row; an empty cell of a further row means the same as in the first."""
        cells = dict(row.cells)
        if first is not None:
            cells["title"] = cells["title"] or first.title
            cells["category"] = cells["category"] or first.category
        return ProductRow(
            product_id=fields.identifier(cells, "product_id"),
            title=fields.title(cells, "title", fields.MAX_TITLE_CHARS),
            category=fields.title(cells, "category", fields.MAX_CATEGORY_CHARS),
            images=(fields.image_file(cells, self.folder),),
            price=fields.price(cells),
            currency=fields.currency(cells),
            url=fields.page_url(cells),
            attributes=fields.further_columns(cells, _PRODUCT_KNOWN),
            file=self.products_file.name if self.products_file else "",
            line=row.line,
        )

    def _scene(self, row: TableRow) -> SceneRow:
        return SceneRow(
            scene_id=fields.identifier(row.cells, "scene_id"),
            image=fields.image_file(row.cells, self.folder),
            attributes=fields.further_columns(row.cells, _SCENE_KNOWN),
            file=self._scenes_name,
            line=row.line,
        )


@dataclass(frozen=True, slots=True)
class CatalogCheck:
    """What a whole reading found: counts of what is good, and every refused row."""

    products: int
    product_images: int
    scenes: int
    regions: int
    errors: tuple[RowError, ...]


class _Merging:
    """A product while its rows are read."""

    def __init__(self) -> None:
        self.product: ProductRow | None = None

    def add(self, row: ProductRow) -> None:
        """Take a row as the product, or as one more image of it.

        Raises CellRefusedError when the row says something else than the first one did.
        """
        first = self.product
        if first is None:
            self.product = row
            return
        for name in ("title", "category", "price", "currency", "url"):
            said, before = getattr(row, name), getattr(first, name)
            if said not in (before, None, ""):
                raise CellRefusedError("DUPLICATE_ID", _conflict(first, name, str(before), str(said)))
        for name, text in row.attributes.items():
            if first.attributes.get(name, "") != text:
                raise CellRefusedError(
                    "DUPLICATE_ID", _conflict(first, name, first.attributes.get(name, ""), text)
                )
        if row.images[0] in first.images:
            raise CellRefusedError("DUPLICATE_ID", f'The product "{row.product_id}" has this image already.')
        if len(first.images) == MAX_IMAGES_PER_PRODUCT:
            raise CellRefusedError(
                "TOO_MANY_IMAGES", f"A product has at most {MAX_IMAGES_PER_PRODUCT} images."
            )
        self.product = replace(first, images=first.images + row.images)


def _conflict(first: ProductRow, column: str, before: str, said: str) -> str:
    return (
        f'The product "{first.product_id}" has the {column} "{before[:80]}" in line {first.line} '
        f'but "{said[:80]}" here.'
    )
