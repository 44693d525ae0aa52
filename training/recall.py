"""Measures a model on a catalogue whose regions name their products (Bell & Bala 2015, section 6).

Query 1: each tagged region asks for its product among all products; recall@k is the share of queries whose
product is among the first k, the category being unknown. Query 2: each product that is used somewhere asks
for rooms; recall@k is the share whose rooms have one among the first k, rooms ranked by their closest region.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.catalog.folder import read_catalog
from services.catalog.rows import ProductRow, SceneRow
from services.embedder.engine import Engine
from services.embedder.engine_choice import DeviceChoice, EngineChoice, PrecisionChoice, open_engine
from services.embedder.model_file import Model, load_model
from services.imaging import Box
from training.catalog_crops import Picture, embed_pictures

DEFAULT_KS = (1, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Recall:
    """recall@k of one direction: `at[k]` in 0..1, over `queries` queries against `gallery` candidates."""

    at: Mapping[int, float]
    queries: int
    gallery: int


@dataclass(frozen=True)
class Evaluation:
    """What a model reaches on a catalogue.

    Attributes:
        model_name: for people.
        model_digest: of the model file; "" for a model that is not in a file.
        engine: engine and number format that computed it.
        products: query 1, regions to products.
        scenes: query 2, products to rooms.
        refused_images: pictures left out because they could not be decoded.
        seconds: that the evaluation took.
    """

    model_name: str
    model_digest: str
    engine: str
    products: Recall
    scenes: Recall
    refused_images: int
    seconds: float


class NothingToEvaluateError(ValueError):
    """The catalogue has no region that names a product, or no picture that can be decoded."""


def evaluate(
    catalog_dir: Path,
    model_path: Path,
    *,
    ks: Sequence[int] = DEFAULT_KS,
    device: DeviceChoice = "auto",
    engine: EngineChoice = "auto",
    precision: PrecisionChoice = "auto",
    threads: int = 0,
) -> Evaluation:
    """Evaluate a model file on a catalogue folder, in both directions.

    Raises:
        ModelFileError, CatalogUnreadableError, EngineUnavailableError: as their names say.
        NothingToEvaluateError: no region names a product, or no picture can be decoded.
    """
    model = load_model(model_path)
    chosen = open_engine(model, device=device, engine=engine, precision=precision, threads=threads)
    return evaluate_model(catalog_dir, model, chosen, ks=ks)


def evaluate_model(
    catalog_dir: Path, model: Model, engine: Engine, *, ks: Sequence[int] = DEFAULT_KS
) -> Evaluation:
    """As `evaluate`, with a model and an engine that are there already."""
    started_s = time.perf_counter()
    catalog = read_catalog(catalog_dir)
    products = list(catalog.products())
    scenes = list(catalog.scenes(check_boxes=False))
    row_of_product = {product.product_id: row for row, product in enumerate(products)}
    preprocessing = model.info.preprocessing
    gallery = embed_pictures(_iconic(products), engine, preprocessing)
    pictures, region_product, region_scene = _tagged_regions(scenes, row_of_product)
    if not pictures:
        raise NothingToEvaluateError(f"No region of {catalog_dir.name} names a product of it.")
    regions = embed_pictures(pictures, engine, preprocessing)
    if not (len(gallery.keys) and len(regions.keys)):
        raise NothingToEvaluateError(f"No photo, or no product image, of {catalog_dir.name} can be decoded.")
    similarity = _similarity(regions.vectors, gallery.vectors, model.info.metric)  # (R, images)
    wanted_product = region_product[regions.keys]  # (R,)
    by_product = _closest(similarity, gallery.keys, len(products))  # (R, P)
    return Evaluation(
        model.info.name,
        model.digest,
        engine.name,
        products=_recall(by_product, _one_hot(wanted_product, len(products)), ks),
        scenes=_scene_recall(by_product, wanted_product, region_scene[regions.keys], ks),
        refused_images=gallery.refused + regions.refused,
        seconds=time.perf_counter() - started_s,
    )


def format_evaluation(evaluation: Evaluation) -> str:
    """A table for a terminal: one line for each direction."""
    ks = sorted(evaluation.products.at)
    lines = [
        f"{evaluation.model_name} ({evaluation.engine}), {evaluation.seconds:.0f} s",
        f"{'recall@':28}" + "".join(f"{k:>7}" for k in ks),
    ]
    for title, recall in (("box to products", evaluation.products), ("product to rooms", evaluation.scenes)):
        label = f"{title} ({recall.queries} of {recall.gallery})"
        lines.append(f"{label:28}" + "".join(f"{recall.at[k]:7.3f}" for k in ks))
    return "\n".join(lines)


def _iconic(products: Sequence[ProductRow]) -> list[Picture]:
    return [Picture(file, ((row, None),)) for row, product in enumerate(products) for file in product.images]


def _tagged_regions(
    scenes: Sequence[SceneRow], row_of_product: Mapping[str, int]
) -> tuple[list[Picture], NDArray[np.int64], NDArray[np.int64]]:
    """Pictures keyed by region number, and for each region its product's and its scene's row."""
    pictures: list[Picture] = []
    product_rows: list[int] = []
    scene_rows: list[int] = []
    for scene_row, scene in enumerate(scenes):
        boxes: list[tuple[int, Box | None]] = []
        for region in scene.regions:
            if region.product_id in row_of_product:
                boxes.append((len(product_rows), Box(region.x_min, region.y_min, region.x_max, region.y_max)))
                product_rows.append(row_of_product[region.product_id])
                scene_rows.append(scene_row)
        if boxes:
            pictures.append(Picture(scene.image, tuple(boxes)))
    return pictures, np.array(product_rows, np.int64), np.array(scene_rows, np.int64)


def _similarity(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], metric: str
) -> NDArray[np.float32]:
    """(Q, D), (G, D) -> (Q, G), higher is more similar; cosine takes unit vectors."""
    products: NDArray[np.float32] = queries @ gallery.T
    if metric == "cosine":
        return products
    squared = (queries**2).sum(1)[:, None] + (gallery**2).sum(1)[None] - 2 * products
    distances: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0.0))
    return -distances


def _closest(
    similarity: NDArray[np.float32], groups: NDArray[np.int64], group_count: int
) -> NDArray[np.float32]:
    """(Q, N) scores of members -> (Q, group_count) best score of each group; -inf for an empty group."""
    best = np.full((group_count, similarity.shape[0]), -np.inf, np.float32)
    np.maximum.at(best, groups, similarity.T)
    return best.T


def _one_hot(wanted: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    relevant: NDArray[np.bool_] = wanted[:, None] == np.arange(count)[None]
    return relevant


def _recall(scores: NDArray[np.float32], relevant: NDArray[np.bool_], ks: Sequence[int]) -> Recall:
    """Share of queries (rows) with a relevant candidate among the k best; ties go by candidate number."""
    order = np.argsort(-scores, axis=1, kind="stable")
    first_hit = np.take_along_axis(relevant, order, axis=1).argmax(axis=1)  # (Q,) rank from 0
    return Recall({k: float((first_hit < k).mean()) for k in ks}, *scores.shape)


def _scene_recall(
    by_product: NDArray[np.float32],
    region_product: NDArray[np.int64],
    region_scene: NDArray[np.int64],
    ks: Sequence[int],
) -> Recall:
    """Query 2 from the same scores: (regions, products), read the other way round."""
    used = np.unique(region_product)
    scenes, region_scene = np.unique(region_scene, return_inverse=True)
    scores = _closest(by_product[:, used].T, region_scene, len(scenes))  # (products used, scenes)
    relevant = np.zeros(scores.shape, np.bool_)
    relevant[np.searchsorted(used, region_product), region_scene] = True
    return _recall(scores, relevant, ks)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the recall of a model: ``python -m training.recall CATALOG MODEL``."""
    parser = argparse.ArgumentParser(
        description="Measure a model's recall on a catalogue with tagged regions."
    )
    parser.add_argument("catalog", type=Path, help="catalogue folder")
    parser.add_argument("model", type=Path, help="model file")
    given = parser.parse_args(arguments)
    sys.stdout.write(format_evaluation(evaluate(given.catalog, given.model)) + "\n")


if __name__ == "__main__":
    main()
