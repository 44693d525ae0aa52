"""The catalogue folder: what is read, and how every bad row is reported."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from services.catalog import CatalogUnreadableError, ProductRow, RowError, SceneRow, read_catalog
from tests.shapes_catalog import write_shapes_catalog

HEADER = "product_id,title,category,image"
GOOD = "A,Chair,chair,a.png"

Shop = Callable[..., Path]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A folder with images a.png to c.png (40 x 30), and whatever tables are given."""
    for name in "abc":
        Image.new("RGB", (40, 30), "red").save(tmp_path / f"{name}.png")

    def write(products: str | bytes = f"{HEADER}\n{GOOD}\n", **tables: str | bytes) -> Path:
        for stem, text in {"products": products, **tables}.items():
            data = text if isinstance(text, bytes) else text.encode()
            (tmp_path / f"{stem}.csv").write_bytes(data)
        return tmp_path

    return write


def read_all(folder: Path) -> tuple[list[ProductRow], list[SceneRow], list[RowError]]:
    catalog, errors = read_catalog(folder), list[RowError]()
    products = list(catalog.products(errors.append))
    return products, list(catalog.scenes(errors.append)), errors


def places(errors: list[RowError]) -> list[tuple[str, int, str]]:
    return [(error.file, error.line, error.reason) for error in errors]


def test_shapes_catalogue_is_read_whole(tmp_path: Path) -> None:
    write_shapes_catalog(tmp_path, n_products=12, n_scenes=6)
    products, scenes, errors = read_all(tmp_path)
    assert errors == []
    assert [product.product_id for product in products] == [f"P-{n:03d}" for n in range(12)]
    first = products[0]
    assert (first.category, first.price, first.currency) == ("chair", 10.0, "EUR")
    assert first.attributes == {"color": "red"}
    assert first.images == (tmp_path / "products/P-000.png",)
    assert (first.file, first.line) == ("products.csv", 2)
    assert [len(scene.regions) for scene in scenes] == [3] * 6
    assert scenes[0].attributes == {"room": "Living room"}
    assert scenes[0].regions[0].product_id == "P-000"
    catalog = read_catalog(tmp_path)
    assert (len(catalog.product_ids()), len(catalog.scene_ids())) == (12, 6)
    found = catalog.check()
    assert (found.products, found.product_images, found.scenes, found.regions) == (12, 12, 6, 18)


def test_several_rows_of_one_id_are_several_images(shop: Shop) -> None:
    rows = f"{HEADER},color\n{GOOD},red\nB,Lamp,lamp,b.png,\nA,,,b.png,\nA,Chair,chair,c.png,red\n"
    products, _, errors = read_all(shop(rows))
    assert errors == []
    by_id = {product.product_id: product for product in products}
    assert [path.name for path in by_id["A"].images] == ["a.png", "b.png", "c.png"]
    assert by_id["A"].title == "Chair"


@pytest.mark.parametrize(
    "row",
    ["A,Sofa,chair,b.png", "A,Chair,sofa,b.png", "A,Chair,chair,a.png"],
    ids=["title", "category", "same"],
)
def test_conflicting_rows_of_one_id_are_refused_and_the_first_is_kept(shop: Shop, row: str) -> None:
    products, _, errors = read_all(shop(f"{HEADER}\n{GOOD}\n{row}\n"))
    assert places(errors) == [("products.csv", 3, "DUPLICATE_ID")]
    assert [len(product.images) for product in products] == [1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Chair,chair,b.png", "EMPTY_VALUE"),
        ("B,,chair,b.png", "EMPTY_VALUE"),
        ("B,Chair,,b.png", "EMPTY_VALUE"),
        ("B,Chair,chair,", "EMPTY_VALUE"),
        ("B,Chair,chair,none.png", "IMAGE_MISSING"),
        ("B,Chair,chair,../secret.png", "IMAGE_OUTSIDE"),
        ("B,Chair,chair,x/../../secret.png", "IMAGE_OUTSIDE"),
        ("B,Chair,chair,/etc/passwd", "IMAGE_OUTSIDE"),
        (r"B,Chair,chair,C:\secret.png", "IMAGE_OUTSIDE"),
        (r"B,Chair,chair,..\secret.png", "IMAGE_OUTSIDE"),
        ("B,Chair,chair,leads-out.png", "IMAGE_OUTSIDE"),
        ("B,Chair,chair,https://example.com/b.png", "REMOTE_IMAGE_OFF"),
        ("B,Chair,chair,http://127.0.0.1/b.png", "REMOTE_IMAGE_OFF"),
        ("B,Chair,chair", "WRONG_LENGTH"),
        ("B,Chair,chair,b.png,more", "WRONG_LENGTH"),
        (f"B,{'x' * 501},chair,b.png", "TOO_LONG"),
        (f"{'é' * 200},Chair,chair,b.png", "TOO_LONG"),
        ("B,Ch\0air,chair,b.png", "MALFORMED_ROW"),
        ("B\x1b[31m,Chair,chair,b.png", "CONTROL_CHARACTER"),
        ("B,Ch\x07air,chair,b.png", "CONTROL_CHARACTER"),
        ('B,"Chair,chair,b.png', "MALFORMED_ROW"),
        ('B,"Chair" x,chair,b.png', "MALFORMED_ROW"),
    ],
)
def test_bad_row_is_reported_with_its_line_and_the_others_kept(shop: Shop, row: str, reason: str) -> None:
    folder = shop(f"{HEADER}\n{GOOD}\n{row}\nC,Lamp,lamp,c.png\n")
    (folder / "leads-out.png").symlink_to("/etc/hostname")
    products, _, errors = read_all(folder)
    assert places(errors) == [("products.csv", 3, reason)]
    assert [product.product_id for product in products] == ["A", "C"]
    assert errors[0].message.endswith(".")
    assert "\n" not in errors[0].message


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("-1", "BAD_NUMBER"),
        ("12 EUR", "BAD_NUMBER"),
        ("nan", "BAD_NUMBER"),
        ("inf", "BAD_NUMBER"),
        ("1_0", "BAD_NUMBER"),
    ],
)
def test_bad_price_is_refused(shop: Shop, price: str, reason: str) -> None:
    products, _, errors = read_all(shop(f"{HEADER},price\n{GOOD},{price}\n"))
    assert products == []
    assert places(errors) == [("products.csv", 2, reason)]


def test_price_currency_and_url_are_optional_and_checked(shop: Shop) -> None:
    header = f"{HEADER},price,currency,url"
    rows = f"{GOOD},12.50,eur,https://shop.example/a\nB,Lamp,lamp,b.png,,,\nC,Rug,rug,c.png,1,EURO,\nD,Rug,rug,c.png,1,EUR,ftp://x\n"
    products, _, errors = read_all(shop(f"{header}\n{rows}"))
    assert [(p.price, p.currency, p.url) for p in products] == [
        (12.5, "EUR", "https://shop.example/a"),
        (None, "", ""),
    ]
    assert places(errors) == [("products.csv", 4, "BAD_CURRENCY"), ("products.csv", 5, "BAD_URL")]


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        ("product_id,title,image\nA,Chair,a.png\n", "MISSING_COLUMN", "category"),
        ("product_id;title;category;image\nA;Chair;chair;a.png\n", "MISSING_COLUMN", "commas"),
        (f"{HEADER},title\n{GOOD},x\n", "DUPLICATE_COLUMN", "title"),
        ("", "FILE_EMPTY", "columns"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "BAD_ENCODING", "UTF-8"),
        (b"x" * 2_000_000, "LINE_TOO_LONG", "1,000,000"),
    ],
)
def test_unusable_table_is_one_error(shop: Shop, text: str | bytes, reason: str, says: str) -> None:
    products, _, errors = read_all(shop(text))
    assert products == []
    assert [error.reason for error in errors] == [reason]
    assert says in errors[0].message


def test_latin_1_row_is_refused_and_the_others_kept(shop: Shop) -> None:
    rows = (
        f"{HEADER}\n{GOOD}\n".encode()
        + "B,Fauteuil crème,chair,b.png\n".encode("latin-1")
        + b"C,Lamp,lamp,c.png\n"
    )
    products, _, errors = read_all(shop(rows))
    assert [product.product_id for product in products] == ["A", "C"]
    assert places(errors) == [("products.csv", 3, "BAD_ENCODING")]


def test_byte_order_mark_crlf_and_quoted_line_breaks_are_accepted(shop: Shop) -> None:
    text = f'{HEADER}\r\nA,"Chair, ""soft""\r\nand round",chair,a.png\r\n\r\nB,Lamp 5" high,lamp,b.png'
    products, _, errors = read_all(shop(b"\xef\xbb\xbf" + text.encode()))
    assert errors == []
    assert [product.title for product in products] == ['Chair, "soft" and round', 'Lamp 5" high']
    assert [product.line for product in products] == [2, 5]


def test_unclosed_quote_costs_one_row_only(shop: Shop) -> None:
    many = "".join(f"R{n},Rug,rug,c.png\n" for n in range(300))
    products, _, errors = read_all(shop(f'{HEADER}\nA,"Chair,chair,a.png\nB,"Lamp",lamp,b.png\n{many}'))
    assert places(errors) == [("products.csv", 2, "MALFORMED_ROW")]
    assert len(products) == 301


def test_huge_line_is_refused_in_bounded_memory(shop: Shop) -> None:
    folder = shop()
    with (folder / "products.csv").open("ab") as out:
        out.write(b"B,")
        for _ in range(200):
            out.write(b"x" * 1_000_000)
        out.write(b"\nC,Lamp,lamp,c.png\n")
    tracemalloc.start()
    products, _, errors = read_all(folder)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert places(errors) == [("products.csv", 3, "LINE_TOO_LONG")]
    assert [product.product_id for product in products] == ["A", "C"]
    assert peak_bytes < 10_000_000


def test_bad_regions_and_scenes_are_reported(shop: Shop) -> None:
    (folder := shop()).joinpath("broken.png").write_text("no image")
    scenes = "scene_id,image,room\nS,b.png,Hall\nS,c.png,\nT,none.png,\nU,broken.png,\n"
    regions = [
        "scene_id,product_id,x_min,y_min,x_max,y_max,certainty",
        "S,A,0,0,20,20,high",
        "S,,30,20,99,99,low",
        "S,A,50,0,60,20,",
        "S,A,20,0,10,20,",
        "S,Z,0,0,20,20,",
        "S,A,0,0,x,20,",
        "S,A,0,0,4,20,",
        "T,A,0,0,20,20,",
        "U,A,0,0,20,20,",
        "W,A,0,0,20,20,",
    ]
    shop(scenes=scenes, regions="\n".join(regions))
    _, found, errors = read_all(folder)
    assert [scene.scene_id for scene in found] == ["S"]
    assert [(region.x_min, region.product_id) for region in found[0].regions] == [(0.0, "A"), (30.0, "")]
    assert found[0].regions[0].extra == {"certainty": "high"}
    assert sorted(places(errors)) == [
        ("regions.csv", 4, "BOX_OUTSIDE"),
        ("regions.csv", 5, "BAD_BOX"),
        ("regions.csv", 6, "UNKNOWN_PRODUCT"),
        ("regions.csv", 7, "BAD_NUMBER"),
        ("regions.csv", 8, "BOX_TOO_SMALL"),
        ("regions.csv", 9, "UNKNOWN_SCENE"),
        ("regions.csv", 10, "UNKNOWN_SCENE"),
        ("regions.csv", 11, "UNKNOWN_SCENE"),
        ("scenes.csv", 3, "DUPLICATE_ID"),
        ("scenes.csv", 4, "IMAGE_MISSING"),
        ("scenes.csv", 5, "NOT_AN_IMAGE"),
    ]


def test_region_of_a_refused_product_is_reported(shop: Shop) -> None:
    folder = shop(
        f"{HEADER}\nA,Chair,chair,none.png\n",
        scenes="scene_id,image\nS,b.png\n",
        regions="scene_id,product_id,x_min,y_min,x_max,y_max\nS,A,0,0,20,20\n",
    )
    catalog, errors = read_catalog(folder), list[RowError]()
    scenes = list(catalog.scenes(errors.append))  # before the products were read
    assert [scene.regions for scene in scenes] == [()]
    assert places(errors) == [("regions.csv", 2, "UNKNOWN_PRODUCT")]


def test_json_lines_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    write_shapes_catalog(tmp_path, n_products=6, n_scenes=2)
    expected = [strip_place(row) for row in read_catalog(tmp_path).products()]
    with (tmp_path / "products.csv").open(newline="") as source:
        rows = [{**row, "price": float(row["price"])} for row in csv.DictReader(source)]
    (tmp_path / "products.csv").unlink()

    (tmp_path / "products.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert [strip_place(row) for row in read_catalog(tmp_path).products()] == expected
    (tmp_path / "products.jsonl").unlink()

    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "products.parquet")
    assert [strip_place(row) for row in read_catalog(tmp_path).products()] == expected


def strip_place(row: ProductRow) -> tuple[object, ...]:
    return (
        row.product_id,
        row.title,
        row.category,
        row.images,
        row.price,
        row.currency,
        dict(row.attributes),
    )


def test_bad_json_lines_are_reported(shop: Shop) -> None:
    (folder := shop()).joinpath("products.csv").unlink()
    good = {
        "product_id": 7,
        "title": "Chair",
        "category": "chair",
        "image": "a.png",
        "soft": True,
        "color": None,
    }
    lines = [
        json.dumps(good),
        "{",
        "[1]",
        "[" * 100_000,
        json.dumps({**good, "product_id": "B", "size": {"w": 1}}),
        json.dumps({"product_id": "C"}),
        json.dumps({**good, "product_id": "D", "price": "NaN"}),
        json.dumps({**good, "product_id": "E\ud800"}),
        json.dumps({**good, "product_id": "F", "title": "Chair \ud800"}),
        json.dumps({**good, "product_id": "G", "note": "soft\x1b[31m"}),
    ]
    (folder / "products.jsonl").write_text("\n".join(lines))
    products, _, errors = read_all(folder)
    assert [(product.product_id, product.attributes) for product in products] == [("7", {"soft": "true"})]
    assert [(error.line, error.reason) for error in errors] == [
        (2, "MALFORMED_ROW"),
        (3, "MALFORMED_ROW"),
        (4, "MALFORMED_ROW"),
        (5, "BAD_VALUE"),
        (6, "MISSING_COLUMN"),
        (7, "BAD_NUMBER"),
        (8, "BAD_ENCODING"),
        (9, "BAD_ENCODING"),
        (10, "CONTROL_CHARACTER"),
    ]


def test_broken_parquet_file_is_one_error(shop: Shop) -> None:
    pytest.importorskip("pyarrow")
    (folder := shop()).joinpath("products.csv").unlink()
    (folder / "products.parquet").write_bytes(b"PAR1" + b"junk" * 100)
    products, _, errors = read_all(folder)
    assert products == []
    assert places(errors) == [("products.parquet", 0, "FILE_UNREADABLE")]


def test_folder_that_cannot_be_read_says_why(tmp_path: Path, shop: Shop) -> None:
    with pytest.raises(CatalogUnreadableError, match="is not a folder"):
        read_catalog(tmp_path / "none")
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(CatalogUnreadableError, match=r"no products\.csv"):
        read_catalog(empty)
    (shop() / "products.jsonl").touch()
    with pytest.raises(CatalogUnreadableError, match="keep one"):
        read_catalog(tmp_path)


def test_real_catalogue_has_no_bad_row(ikea: Path) -> None:
    found = read_catalog(ikea).check()
    assert found.errors == ()
    assert (found.products, found.scenes, found.regions) == (1719, 229, 2224)
