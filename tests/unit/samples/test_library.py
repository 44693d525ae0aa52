import zipfile
from pathlib import Path

import pytest

from samples.render.library import (
    CC0,
    CC_BY,
    CC_BY_US,
    IMPORT_PAGE,
    LibraryError,
    extract_model,
    find_libraries,
    license_of,
    parse_properties,
    read_library,
)

PROPERTIES = """\
# a comment
id=Test#Library
name=Test library
license=Public domain

id#1=Test#redChair
name#1=Chair \\u00e0 bras
tags#1=Seat, Kitchen
category#1=Living room
model#1=/test/redChair/redChair.obj
width#1=42.5
depth#1=50
height#1=88
elevation#1=12
modelRotation#1=0 0 1 0 1 0 -1 0 0
creator#1=Someone

id#2=Test#lamp
name#2=Lamp
model#2=/test/lamp/lamp.obj
width#2=10
depth#2=10
height#2=30
creator#2=Someone else
"""
STATEMENT = "<html><b>Lamp</b> Released under Creative Commons Attribution 3.0 from http://www.blendswap.com/blends/view/77"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    archive = tmp_path / "Test.sh3f"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("PluginFurnitureCatalog.properties", PROPERTIES.encode("latin-1"))
        files.writestr("test/redChair/redChair.obj", "v 0 0 0\n")
        files.writestr("test/redChair/cloth.jpg", b"cloth")
        files.writestr("test/lamp/lamp.obj", "v 0 0 0\n")
        files.writestr("test/lamp/License.html", STATEMENT)
    return archive


def test_models_carry_names_sizes_and_authors(library: Path) -> None:
    chair, _ = read_library(library)
    assert (chair.key, chair.name, chair.tags) == ("redChair", "Chair à bras", ("Seat", "Kitchen"))
    assert (chair.width_cm, chair.depth_cm, chair.height_cm, chair.elevation_cm) == (42.5, 50.0, 88.0, 12.0)
    assert list(chair.rotation) == [0, 0, 1, 0, 1, 0, -1, 0, 0]
    assert (chair.library, chair.library_notice) == ("Test library", "Public domain")
    assert (chair.creator, chair.license, chair.source_url) == ("Someone", CC0, IMPORT_PAGE)


def test_a_models_own_licence_goes_before_its_librarys(library: Path) -> None:
    _, lamp = read_library(library)
    assert lamp.license == CC_BY
    assert lamp.source_url == "http://www.blendswap.com/blends/view/77"


def test_extracting_a_model_writes_its_folder_alone(library: Path, tmp_path: Path) -> None:
    chair, _ = read_library(library)
    obj = extract_model(chair, tmp_path / "cache")
    assert obj.read_text() == "v 0 0 0\n"
    assert (obj.parent / "cloth.jpg").exists()
    assert not (tmp_path / "cache/Test/test/lamp").exists()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("Public domain", CC0),
        ("Creative Commons Zero 1.0", CC0),
        ("Creative Commons Attribution 3.0", CC_BY),
        ("Creative Commons Attribution 3.0 United States license", CC_BY_US),
    ],
)
def test_free_licences_are_known(statement: str, expected: object) -> None:
    assert license_of(statement) == expected


@pytest.mark.parametrize(
    "statement",
    ["Creative Commons Attribution-NonCommercial 3.0", "Attribution ShareAlike", "All rights reserved", ""],
)
def test_any_other_licence_is_refused(statement: str) -> None:
    with pytest.raises(LibraryError):
        license_of(statement)


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.sh3f").write_bytes(b"not a zip")
    with pytest.raises(LibraryError, match=r"bad\.sh3f"):
        list(read_library(tmp_path / "bad.sh3f"))


def test_an_empty_folder_says_which_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="sweethome3d-furniture"):
        find_libraries(tmp_path)


def test_comments_and_blank_lines_are_no_properties() -> None:
    own, models = parse_properties("# a=b\n\n! c=d\nname=X\nname#3=Y\n")
    assert own == {"name": "X"}
    assert models == {3: {"name": "Y"}}
