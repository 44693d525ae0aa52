"""ImageNet features reduced by PCA: the model that serves until one is learned.

The principal components are those of the catalogue's product images. Centring takes away what all iconic
images have in common, which is most of a raw feature's direction; weak whitening keeps the few strongest
components from drowning the others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import safetensors.torch
import torch
import torchvision.models
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from services.catalog.folder import read_catalog
from services.embedder.engine_choice import open_engine
from services.embedder.model_file import Model, write_model
from services.embedder.model_info import ModelInfo, Preprocessing
from services.embedder.network import MEAN_COLOR, EmbeddingNet, build_backbone, count_features
from training.catalog_crops import Picture, embed_pictures
from training.run_record import write_record

# More do not move the components; taken at random, so that a sorted catalogue is sampled evenly.
_MAX_IMAGES = 20_000
_MIN_IMAGES = 2
# Components are divided by this power of their standard deviation: 0 is plain PCA, 1 is full whitening.
# A quarter found most of 0, 1/4, 1/2, 3/4 and 1 (docs/decisions.md).
_WHITENING = 0.25


class CannotFitError(ValueError):
    """The catalogue or the starting weights do not do. The text says what to change."""


@dataclass(frozen=True)
class Fitted:
    """What `fit` made.

    Attributes:
        path: the model file.
        digest: its identity.
        dimension: of an embedding.
        images: that the components were fitted on.
        refused_images: left out because they could not be decoded.
        explained_variance: share of the features' variance that is kept, 0 to 1.
        notes: sentences for the person who asked, such as why the dimension is lower than asked for.
    """

    path: Path
    digest: str
    dimension: int
    images: int
    refused_images: int
    explained_variance: float
    notes: tuple[str, ...]


def fit(
    catalog_dir: Path,
    output: Path,
    *,
    init: Path | None = None,
    backbone: str = "mobilenet_v2",
    dimension: int = 256,
    seed: int = 0,
    name: str = "",
    provenance: str = "",
    license: str = "",  # noqa: A002  (the field's name in the model file)
    float16: bool = False,
    threads: int = 0,
) -> Fitted:
    """Fit a PCA on the product images of a catalogue and write a model file, with a record beside it.

    Args:
        catalog_dir: catalogue folder.
        output: the model file; `output` with the suffix .json is the record.
        init: safetensors file with the backbone's torchvision state dict; None takes torchvision's own
            weights, downloading them if need be.
        backbone: torchvision's name.
        dimension: wanted length of an embedding; lowered, with a note, where the images or the features
            cannot give so many components.
        seed: of the sample taken from a very large catalogue.
        name: of the model; by default from backbone and dimension.
        provenance: one sentence for the model file; by default what is known here.
        license: of the result, for the model file.
        float16: store weights as float16.
        threads: of the network; 0 is one per core.

    Raises:
        CannotFitError: see there. CatalogUnreadableError: the folder is no catalogue.
    """
    model = raw_features_model(backbone, init, name=name)
    files = [file for product in read_catalog(catalog_dir).products() for file in product.images]
    if len(files) > _MAX_IMAGES:
        files = Random(seed).sample(files, _MAX_IMAGES)
    engine = open_engine(model, precision="fp32", threads=threads)
    pictures = (Picture(file, ((row, None),)) for row, file in enumerate(files))
    embedded = embed_pictures(pictures, engine, model.info.preprocessing)
    images = len(embedded.vectors)
    if images < _MIN_IMAGES:
        raise CannotFitError(f"The catalogue has {images} usable product images; a PCA needs at least 2.")
    notes: list[str] = []
    possible = min(images - 1, embedded.vectors.shape[1])
    if dimension > possible:
        notes.append(
            f"{images} product images of {embedded.vectors.shape[1]} features give {possible} components: "
            f"the dimension is {possible} instead of {dimension}."
        )
    mean, components, explained = principal_components(
        embedded.vectors, min(dimension, possible), whitening=_WHITENING
    )
    info = model.info.model_copy(
        update={
            "name": name or f"{backbone}-pca{len(components)}",
            "architecture": "pca",
            "dimension": len(components),
            "metric": "cosine",
            "provenance": provenance or _provenance(backbone, init, images),
            "license": license or "As the starting weights and the catalogue's photos.",
        }
    )
    net = EmbeddingNet(
        model.net.backbone, _projection(mean, components), info.preprocessing, unit_length=True
    )
    digest = write_model(output, info, net.state_dict(), dtype=torch.float16 if float16 else torch.float32)
    fitted = Fitted(output, digest, len(components), images, embedded.refused, explained, tuple(notes))
    write_record(
        output.with_suffix(".json"),
        config={
            "command": "training.pca.fit",
            "catalog": catalog_dir.name,
            "backbone": backbone,
            "init": init.name if init else "torchvision",
            "dimension": dimension,
            "whitening": _WHITENING,
            "seed": seed,
            "stored_as": "float16" if float16 else "float32",
            "preprocessing": info.preprocessing.model_dump(),
        },
        metrics={
            "digest": digest,
            "dimension": fitted.dimension,
            "images": images,
            "refused_images": embedded.refused,
            "explained_variance": round(explained, 4),
            "notes": notes,
        },
    )
    return fitted


def raw_features_model(
    backbone: str = "mobilenet_v2",
    init: Path | None = None,
    *,
    name: str = "",
    metric: Literal["cosine", "euclidean"] = "euclidean",
) -> Model:
    """A model, in no file, whose embeddings are the backbone's own features: the baseline of every other.

    With the metric "euclidean" the features keep their length.

    Raises:
        CannotFitError: the starting weights are missing or are not this backbone's.
    """
    net = build_backbone(backbone)
    _load_weights(net, backbone, init)
    preprocessing = Preprocessing()
    features = count_features(net, preprocessing.input_size_px)
    identity = nn.Linear(features, features)
    with torch.no_grad():
        identity.weight.copy_(torch.eye(features))
        identity.bias.zero_()
    info = ModelInfo(
        name=name or f"{backbone}-features",
        architecture="features",
        backbone=backbone,
        dimension=features,
        metric=metric,
        preprocessing=preprocessing,
    )
    unit_length = metric == "cosine"
    return Model(info, "", EmbeddingNet(net, identity, preprocessing, unit_length=unit_length).eval())


def principal_components(
    features: NDArray[np.float32], count: int, *, whitening: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """PCA of (N, F) features: mean (F,), components (count, F) by falling variance, share of variance kept.

    A component is divided by its standard deviation to the power of `whitening`.

    A component's sign, which a PCA leaves open, is such that its largest weight is positive: the same
    features give the same model on any machine.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    variance, vectors = np.linalg.eigh(centred.T @ centred)  # rising
    components = np.ascontiguousarray(vectors[:, ::-1][:, :count].T)
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(count), largest])[:, None]
    deviation = np.sqrt(np.maximum(variance[::-1][:count], variance[-1] * 1e-12))
    components /= (deviation / deviation[0])[:, None] ** whitening
    kept = float(variance[::-1][:count].sum() / max(variance.sum(), np.finfo(np.float64).tiny))
    return mean, components, kept


def _projection(mean: NDArray[np.float64], components: NDArray[np.float64]) -> nn.Linear:
    """The linear layer that centres, then projects: components (features - mean)."""
    layer = nn.Linear(components.shape[1], components.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(components))
        layer.bias.copy_(torch.from_numpy(-components @ mean))
    return layer


def _load_weights(net: nn.Module, backbone: str, init: Path | None) -> None:
    wanted = net.state_dict()
    if backbone == MEAN_COLOR:
        return
    state = _read_weights(init) if init else _torchvision_weights(backbone)
    found = {name: state[name] for name in wanted if name in state}
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    if missing := [name for name in wanted if name not in found and name not in optional]:
        raise CannotFitError(f"The starting weights are not those of {backbone}: {missing[0]} is missing.")
    try:
        net.load_state_dict(found, strict=False)
    except RuntimeError as error:
        raise CannotFitError(f"The starting weights are not those of {backbone}.") from error


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(file.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CannotFitError(f"The starting weights {file} cannot be read as safetensors.") from error


def _torchvision_weights(backbone: str) -> dict[str, Tensor]:
    weights = torchvision.models.get_model_weights(backbone).DEFAULT
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        raise CannotFitError(
            f"torchvision's weights of {backbone} cannot be downloaded; give a file with --init."
        ) from error
    return state


def _provenance(backbone: str, init: Path | None, images: int) -> str:
    source = init.name if init else f"torchvision's {backbone}"
    return f"ImageNet features of {source}; PCA fitted on {images} product images of the catalogue."


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a model file: ``python -m training.pca CATALOG OUTPUT --init FILE``."""
    parser = argparse.ArgumentParser(description="Fit a PCA model on a catalogue's product images.")
    parser.add_argument("catalog", type=Path, help="catalogue folder")
    parser.add_argument("output", type=Path, help="model file to write")
    parser.add_argument("--init", type=Path, help="safetensors file with the backbone's starting weights")
    parser.add_argument("--backbone", default="mobilenet_v2", help="torchvision's name")
    parser.add_argument("--dimension", type=int, default=256, help="length of an embedding")
    parser.add_argument("--name", default="", help="the model's name")
    parser.add_argument("--provenance", default="", help="where weights and photos come from")
    parser.add_argument("--license", default="", help="licence of the result")
    parser.add_argument("--float16", action="store_true", help="store weights as float16")
    given = parser.parse_args(arguments)
    fitted = fit(
        given.catalog,
        given.output,
        init=given.init,
        backbone=given.backbone,
        dimension=given.dimension,
        name=given.name,
        provenance=given.provenance,
        license=given.license,
        float16=given.float16,
    )
    for note in fitted.notes:
        sys.stderr.write(note + "\n")
    sys.stdout.write(
        f"{fitted.path}: {fitted.dimension} dimensions from {fitted.images} images, "
        f"{fitted.explained_variance:.1%} of the variance, {fitted.digest}\n"
    )


if __name__ == "__main__":
    main()
