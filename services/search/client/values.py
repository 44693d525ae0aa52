"""What goes into and comes out of `SearchClient`: plain immutable values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.imaging import Box
from services.search.entities import Product, Region, Scene

# --- Queries -----------------------------------------------------------------


@dataclass(frozen=True)
class PhotoQuery:
    """An object in a photo: the file's bytes and a box in upright pixels; the whole photo when None."""

    image: bytes
    box: Box | None = None


@dataclass(frozen=True)
class ProductQuery:
    """A product of the catalogue, by its id."""

    product_id: str


@dataclass(frozen=True)
class RegionQuery:
    """A region of a stored scene, by its id."""

    region_id: str


@dataclass(frozen=True)
class EmbeddingQuery:
    """A raw embedding of the serving model's dimension; `model_digest` is checked unless it is empty."""

    values: Sequence[float]
    model_digest: str = ""


Query = PhotoQuery | ProductQuery | RegionQuery | EmbeddingQuery


@dataclass(frozen=True)
class ProductFilter:
    """Which products may be found; parts are ANDed, the values of one attribute are ORed."""

    categories: Sequence[str] = ()
    price_min: float | None = None
    price_max: float | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class SceneFilter:
    """Which scenes and regions may be found; parts are ANDed, the values of one attribute are ORed."""

    categories: Sequence[str] = ()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exclude_proposed: bool = False
    product_ids: Sequence[str] = ()


# --- Results -----------------------------------------------------------------


@dataclass(frozen=True)
class SearchTiming:
    """Where a search spent its time on the servers, in ms; decode, wait and forward lie in embed."""

    total_ms: float = 0.0
    embed_ms: float = 0.0
    decode_ms: float = 0.0
    wait_ms: float = 0.0
    forward_ms: float = 0.0
    index_ms: float = 0.0


@dataclass(frozen=True)
class ProductHit:
    """A product found. Higher scores are more similar (cosine: -1 to 1; Euclidean: negated distance)."""

    product: Product
    score: float
    closest_image_id: str


@dataclass(frozen=True)
class RegionHit:
    """A region found; `shows_query_product` when the catalogue says it shows the very product asked for."""

    region: Region
    score: float
    shows_query_product: bool


@dataclass(frozen=True)
class SceneHit:
    """A scene found, with its matching regions, best first."""

    scene: Scene
    score: float
    regions: tuple[RegionHit, ...]


@dataclass(frozen=True)
class ProductResults:
    """One page of query 1. `query_box` is the box as clipped to the photo; None without a photo."""

    hits: tuple[ProductHit, ...]
    next_page_token: str
    low_confidence: bool
    model_digest: str
    query_box: Box | None
    timing: SearchTiming


@dataclass(frozen=True)
class SceneResults:
    """One page of query 2. `query_box` is the box as clipped to the photo; None without a photo."""

    hits: tuple[SceneHit, ...]
    next_page_token: str
    low_confidence: bool
    model_digest: str
    query_box: Box | None
    timing: SearchTiming


@dataclass(frozen=True)
class ProductPage:
    """Products in a stable order."""

    products: tuple[Product, ...]
    next_page_token: str


@dataclass(frozen=True)
class ScenePage:
    """Scenes in a stable order, without their regions."""

    scenes: tuple[Scene, ...]
    next_page_token: str


@dataclass(frozen=True)
class CatalogFacts:
    """Counts, categories (most frequent first), model and time of the last import."""

    product_count: int
    product_image_count: int
    scene_count: int
    region_count: int
    categories: tuple[tuple[str, int], ...]
    attribute_names: tuple[str, ...]
    model_digest: str
    embedder_model_digest: str
    dimension: int
    indexed_at: datetime | None
    engine: str


# --- Imports -----------------------------------------------------------------


@dataclass(frozen=True)
class ImageFile:
    """An image to import. `load` reads the bytes when wanted, perhaps twice; it may raise OSError."""

    load: Callable[[], bytes]


@dataclass(frozen=True)
class ProductUpload:
    """A product to import; `product.images` is ignored. The outcome echoes `source` ("products.csv:17")."""

    product: Product
    images: Sequence[ImageFile]
    source: str = ""


@dataclass(frozen=True)
class RegionBox:
    """A box of a scene to import, in upright pixels, and the product that it shows, or ""."""

    box: Box
    product_id: str = ""
    source: str = ""


@dataclass(frozen=True)
class SceneUpload:
    """A scene to import; without regions the service proposes some."""

    scene_id: str
    image: ImageFile
    attributes: Mapping[str, str] = field(default_factory=dict)
    regions: Sequence[RegionBox] = ()
    source: str = ""


class ImportStatus(Enum):
    """What became of an imported item."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class ImportProblem:
    """Why an item, or a region of it, was refused. `source` is that of the upload or the region box."""

    reason: str
    field: str
    message: str
    source: str = ""


@dataclass(frozen=True)
class ImportOutcome:
    """What became of one upload. `position` counts the uploads from 0; outcomes come in order of completion.

    `region_problems` lists regions that were refused while the rest of the scene was stored.
    """

    position: int
    item_id: str
    status: ImportStatus
    problem: ImportProblem | None = None
    region_problems: tuple[ImportProblem, ...] = ()
    region_count: int = 0
    source: str = ""
    sent_bytes: int = 0
