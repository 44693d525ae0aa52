"""What a catalogue folder holds, one frozen dataclass per kind of row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

NO_TEXTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ProductRow:
    """An article with its iconic images; several rows of the file when it has several images."""

    product_id: str
    title: str
    category: str
    images: tuple[Path, ...]
    """Existing files inside the folder, the main one first; 1 to 16."""
    price: float | None = None
    """In units of `currency`; 0 or more, None when unknown."""
    currency: str = ""
    """ISO 4217 code, or empty."""
    url: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    """Further columns that are not empty."""
    file: str = ""
    """File name of the first row, for reports: "products.csv"."""
    line: int = 0
    """Line of the first row in that file, from 1."""


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A box in a scene, in pixels of the EXIF-upright photo; max exclusive."""

    scene_id: str
    x_min: float
    y_min: float
    x_max: float
    y_max: float
    product_id: str = ""
    """The product it shows, or empty when nobody said."""
    extra: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    """Further columns that are not empty, such as "certainty"; no part of the search."""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class SceneRow:
    """A room photo with its regions."""

    scene_id: str
    image: Path
    attributes: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    regions: tuple[RegionRow, ...] = ()
    """0 to 200."""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that was refused, or (line 0 or 1) a whole file."""

    file: str
    """File name inside the catalogue folder."""
    line: int
    """From 1; the header of a CSV file is line 1. For Parquet the number of the row. 0: the file itself."""
    reason: str
    """Stable, in capitals: "IMAGE_MISSING"."""
    message: str
    """One English sentence for a person."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.reason}: {self.message}"
