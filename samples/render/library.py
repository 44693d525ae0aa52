"""Reads Sweet Home 3D furniture libraries (`.sh3f`).

A library is a zip: `PluginFurnitureCatalog.properties` lists the models (name, tags, size in centimetres,
author), OBJ files hold them. Debian ships five such libraries in `sweethome3d-furniture`.
"""

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROPERTIES = "PluginFurnitureCatalog.properties"
IMPORT_PAGE = "http://www.sweethome3d.com/importModels.jsp"
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

_PROPERTY = re.compile(r"^(\w+?)(?:#(\d+))?\s*=\s*(.*)$")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_BLEND_PAGE = re.compile(r"https?://(?:www\.)?blendswap\.com/[\w/-]*?\d+")
_RELEASED = re.compile(r"released under\s+(creative commons (?:zero|attribution)[^.]{0,40})", re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")


class LibraryError(ValueError):
    """The file is no furniture library, or states a licence that is neither CC0 nor CC BY."""


@dataclass(frozen=True)
class License:
    """A licence by its SPDX identifier, and where its text is."""

    spdx: str
    url: str


CC0 = License("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/")
CC_BY = License("CC-BY-3.0", "https://creativecommons.org/licenses/by/3.0/")
CC_BY_US = License("CC-BY-3.0-US", "https://creativecommons.org/licenses/by/3.0/us/")


@dataclass(frozen=True)
class Model:
    """One 3D model. Sizes and elevations are centimetres; the model's front looks along its +Z axis."""

    key: str
    name: str
    tags: tuple[str, ...]
    category: str
    width_cm: float
    depth_cm: float
    height_cm: float
    elevation_cm: float
    rotation: tuple[float, ...]  # 3 x 3, row by row, applied before scaling to the size
    creator: str
    license: License
    library: str
    library_notice: str  # the licence and copyright that the library states for itself
    source_url: str
    archive: Path
    obj_path: str


def parse_properties(text: str) -> tuple[dict[str, str], dict[int, dict[str, str]]]:
    """Java properties of a library: (its own, those of each model by its number)."""
    own: dict[str, str] = {}
    models: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for line in text.splitlines():
        if line.lstrip().startswith(("#", "!")):
            continue
        match = _PROPERTY.match(line.strip())
        if not match:
            continue
        name, number, raw = match.groups()
        value = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), raw).strip()
        if number is None:
            own[name] = value
        else:
            models[int(number)][name] = value
    return own, dict(models)


def license_of(statement: str) -> License:
    """The licence that a statement names. Raises LibraryError for any but CC0 and CC BY."""
    lowered = " ".join(statement.lower().split())
    forbidden = ("noncommercial", "non-commercial", "sharealike", "share alike", "noderiv", "no deriv")
    if not any(word in lowered for word in forbidden):
        if "zero" in lowered or "public domain" in lowered or "cc0" in lowered:
            return CC0
        if "attribution" in lowered:
            return CC_BY_US if "united states" in lowered else CC_BY
    raise LibraryError(f"neither CC0 nor CC BY: {statement[:80]!r}")


def read_library(archive: Path) -> Iterator[Model]:
    """The models of one library, in its order. Raises LibraryError if it is not a library."""
    try:
        with zipfile.ZipFile(archive) as files:
            own, entries = parse_properties(files.read(PROPERTIES).decode("latin-1"))
            statements = _license_statements(files)
    except (KeyError, zipfile.BadZipFile) as err:
        raise LibraryError(f"{archive.name} is not a furniture library") from err
    for number in sorted(entries):
        yield _model(archive, own, entries[number], statements)


def find_libraries(folder: Path) -> Sequence[Path]:
    """The `.sh3f` files of a folder, by name. Raises LibraryError if there are none."""
    found = sorted(folder.glob("*.sh3f"))
    if not found:
        raise LibraryError(f"no .sh3f file in {folder}; on Debian: apt install sweethome3d-furniture")
    return found


def extract_model(model: Model, folder: Path) -> Path:
    """Writes the model's OBJ, materials and textures below `folder`; returns the OBJ's path."""
    prefix = model.obj_path.rsplit("/", 1)[0] + "/"
    target = folder / model.archive.stem
    with zipfile.ZipFile(model.archive) as files:
        for name in files.namelist():
            inside = name.startswith(prefix) and ".." not in Path(name).parts
            if inside and not name.endswith("/") and not (target / name).exists():
                files.extract(name, target)
    return target / model.obj_path


def _license_statements(files: zipfile.ZipFile) -> dict[str, str]:
    """Folder of a model -> the text of the licence file in it."""
    names = [n for n in files.namelist() if "/" in n and "licen" in n.rsplit("/", 1)[1].lower()]
    return {n.rsplit("/", 1)[0]: _TAG.sub(" ", files.read(n).decode("utf-8", "replace")) for n in names}


def _model(
    archive: Path, own: Mapping[str, str], entry: Mapping[str, str], statements: Mapping[str, str]
) -> Model:
    obj_path = entry["model"].lstrip("/")
    statement = " ".join(statements.get(obj_path.rsplit("/", 1)[0], "").split())
    released = _RELEASED.search(statement)
    page = _BLEND_PAGE.search(statement)
    # A model's own statement goes before the library's: two models of the CC0 library are CC BY.
    licensed = license_of(released[1] if released else own.get("license", ""))
    rotation = tuple(float(x) for x in entry.get("modelRotation", "").split()) or IDENTITY
    return Model(
        key=entry["id"].split("#", 1)[1],
        name=entry["name"],
        tags=tuple(t.strip() for t in entry.get("tags", "").split(",") if t.strip()),
        category=entry.get("category", ""),
        width_cm=float(entry["width"]),
        depth_cm=float(entry["depth"]),
        height_cm=float(entry["height"]),
        elevation_cm=float(entry.get("elevation", "0")),
        rotation=rotation,
        creator=entry.get("creator", ""),
        license=licensed,
        library=own.get("name", archive.stem),
        library_notice=" ".join(own.get("license", "").split()),
        source_url=page[0] if page else IMPORT_PAGE,
        archive=archive,
        obj_path=obj_path,
    )
