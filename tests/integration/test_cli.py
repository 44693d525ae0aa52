"""The command line against the real embedder and search processes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.live_stack import LiveStack, running_stack

PRODUCTS = ("search", "products")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as found:
        yield found


def insitu(stack: LiveStack, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'protos'}",
            "INSITU_SEARCH_ADDRESS": stack.search_address,
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def first_region(stack: LiveStack) -> dict[str, str]:
    with (stack.catalog / "regions.csv").open(newline="") as source:
        return next(csv.DictReader(source))


def box_of(region: dict[str, str]) -> str:
    return ",".join(region[name] for name in ("x_min", "y_min", "x_max", "y_max"))


def found(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_box_in_a_photo_finds_the_product_that_is_there(stack: LiveStack, tmp_path: Path) -> None:
    region = first_region(stack)
    photo = stack.catalog / "scenes" / f"{region['scene_id']}.png"
    sheet = tmp_path / "sheet.jpg"
    answer = found(
        insitu(
            stack, "search", "products", photo, "--box", box_of(region), "-n", 5, "--json", "--save", sheet
        )
    )
    assert len(answer["hits"]) == 5
    best = answer["hits"][0]
    assert best["product"]["product_id"] == region["product_id"]
    assert best["product"]["price"] == 10.0
    assert best["rank"] == 1
    assert best["score"] >= answer["hits"][1]["score"]
    assert answer["query_box"] == [float(value) for value in box_of(region).split(",")]
    with Image.open(sheet) as picture:
        assert picture.width > 1000


def test_product_finds_the_scenes_that_show_it(stack: LiveStack, tmp_path: Path) -> None:
    region = first_region(stack)
    sheet = tmp_path / "sheet.png"
    answer = found(
        insitu(stack, "search", "scenes", "--product", region["product_id"], "--json", "--save", sheet)
    )
    regions = [found_region for hit in answer["hits"] for found_region in hit["regions"]]
    assert any(found_region["shows_query_product"] for found_region in regions)
    assert answer["hits"][0]["regions"][0]["product_id"] == region["product_id"]
    assert sheet.is_file()


def test_filters_and_a_region_query(stack: LiveStack) -> None:
    scene = found(insitu(stack, "show", "scene", "S-000", "--json"))
    region_id = scene["regions"][0]["region_id"]
    sofas = found(
        insitu(
            stack,
            "search",
            "products",
            "--region",
            region_id,
            "--category",
            "sofa",
            "--price-max",
            50,
            "--json",
        )
    )
    assert [hit["product"]["product_id"] for hit in sofas["hits"]] == ["P-001"]
    reds = found(insitu(stack, *PRODUCTS, "--region", region_id, "--attribute", "color=red", "--json"))
    assert [hit["product"]["attributes"]["color"] for hit in reds["hits"]] == ["red"]


def test_table_in_a_pipe_is_tab_separated(stack: LiveStack) -> None:
    result = insitu(stack, "search", "products", "--product", "P-000", "-n", 3)
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["#", "score", "product_id", "title", "category", "price"]
    assert [line[0] for line in lines[1:]] == ["1", "2", "3"]
    assert "P-000" not in [line[2] for line in lines]


def test_facts_and_show_say_what_is_stored(stack: LiveStack) -> None:
    facts = found(insitu(stack, "facts", "--json"))
    assert (facts["product_count"], facts["scene_count"], facts["region_count"]) == (12, 6, 18)
    assert facts["categories"]["chair"] == 2
    product = insitu(stack, "show", "product", "P-003")
    assert "Lime table 3" in product.stdout
    assert "40.00 EUR" in product.stdout


def test_unknown_product_is_one_sentence(stack: LiveStack) -> None:
    result = insitu(stack, "search", "scenes", "--product", "no-such")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_second_import_changes_nothing(stack: LiveStack) -> None:
    result = insitu(stack, "index", stack.catalog)
    assert result.returncode == 0, result.stderr
    assert "Products: 0 stored, 12 unchanged." in result.stdout
    assert "Scenes: 0 stored, 6 unchanged." in result.stdout


def test_refused_rows_are_listed_reported_and_the_others_imported(tmp_path: Path) -> None:
    with running_stack(tmp_path / "stack", imported=False) as stack:
        catalog = stack.catalog
        with (catalog / "products.csv").open("a") as out:
            out.write("P-100,Gone,chair,1,EUR,red,products/none.png\n")
            out.write("P-101,Broken,chair,1,EUR,red,products/broken.png\n")
            out.write("P-102,Dear,chair,much,EUR,red,products/P-000.png\n")
        (catalog / "products" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 200)
        with (catalog / "regions.csv").open("a") as out:
            out.write("S-000,P-101,0,0,50,50\n")
            out.write("S-001,P-000,900,0,950,50\n")
        expected = [
            ("products.csv", 14, "IMAGE_MISSING"),
            ("products.csv", 16, "BAD_NUMBER"),
            ("regions.csv", 21, "BOX_OUTSIDE"),
        ]
        dry = insitu(stack, "index", catalog, "--dry-run", "--report", tmp_path / "dry.csv")
        assert dry.returncode == 1
        assert set(expected) < set(reported(tmp_path / "dry.csv"))

        result = insitu(stack, "index", catalog, "--report", tmp_path / "report.csv")
        assert result.returncode == 1, result.stderr
        assert "Products: 12 stored" in result.stdout
        assert "products.csv:14: IMAGE_MISSING" in result.stderr
        rows = reported(tmp_path / "report.csv")
        assert set(expected) < set(rows)
        assert [row[:2] for row in rows] == [
            ("products.csv", 14),
            ("products.csv", 15),
            ("products.csv", 16),
            ("regions.csv", 20),
            ("regions.csv", 21),
        ]

        # What the folder no longer names goes with --prune alone.
        shutil.copy(catalog / "products.csv", tmp_path / "all.csv")
        lines = (tmp_path / "all.csv").read_text().splitlines(keepends=True)
        (catalog / "products.csv").write_text("".join(lines[:11]))
        (catalog / "scenes.csv").write_text(
            "".join((catalog / "scenes.csv").read_text().splitlines(True)[:6])
        )
        kept = insitu(stack, "index", catalog)
        assert "Deleted" not in kept.stdout
        pruned = insitu(stack, "index", catalog, "--prune", "--report", tmp_path / "report.json")
        assert "Deleted: 2 products, 1 scenes." in pruned.stdout, pruned.stderr
        report = json.loads((tmp_path / "report.json").read_text())
        assert (report["products_deleted"], report["scenes_deleted"]) == (2, 1)
        facts = found(insitu(stack, "facts", "--json"))
        assert (facts["product_count"], facts["scene_count"]) == (10, 5)

        # A row that cannot be read may name anything: nothing is deleted on its account.
        (catalog / "products.csv").write_text("".join([*lines[:5], 'P-009,"Table,table\n']))
        unsure = insitu(stack, "index", catalog, "--prune")
        assert unsure.returncode == 1
        assert "Nothing was deleted: some rows could not be read" in unsure.stdout
        assert found(insitu(stack, "facts", "--json"))["product_count"] == 10


def reported(path: Path) -> list[tuple[str, int, str]]:
    with path.open(newline="", encoding="utf-8") as source:
        return [(row["file"], int(row["line"]), row["reason"]) for row in csv.DictReader(source)]
