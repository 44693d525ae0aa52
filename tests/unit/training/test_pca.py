"""PCA models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from services.embedder.model_file import load_model
from services.embedder.network import build_backbone
from tests.battery_images import photo
from training.pca import CannotFitError, fit, main, principal_components


def write_catalog(folder: Path, products: int) -> Path:
    folder.mkdir()
    lines = ["product_id,title,category,image"]
    for number in range(products):
        photo(96, 96, seed=number).save(folder / f"{number}.jpg")
        lines.append(f"p{number},Thing {number},thing,{number}.jpg")
    (folder / "products.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torchvision state dict with a classifier, as people have it."""
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    state = dict(build_backbone("squeezenet1_1").state_dict())
    save_file({**state, "classifier.1.weight": torch.zeros(1000, 512, 1, 1)}, path)
    return path


def test_components_are_orthonormal_and_keep_the_most_variance() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 10)) * np.arange(1, 11) + 5).astype(np.float32)
    mean, components, kept = principal_components(features, 4)
    assert np.allclose(components @ components.T, np.eye(4), atol=1e-8)
    projected = (features - mean) @ components.T
    assert np.allclose(projected.mean(axis=0), 0, atol=1e-4)
    assert np.all(np.diff(projected.var(axis=0)) < 0)
    assert kept == pytest.approx(projected.var(axis=0).sum() / features.var(axis=0).sum(), rel=1e-4)


def test_full_whitening_gives_every_component_the_same_spread() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(300, 6)) * np.arange(1, 7)).astype(np.float32)
    mean, components, _ = principal_components(features, 6, whitening=1.0)
    spread = ((features - mean) @ components.T).std(axis=0)
    assert np.allclose(spread, spread[0], rtol=1e-3)


def test_signs_do_not_depend_on_the_order_of_images() -> None:
    features = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    first, second = (principal_components(each, 5)[1] for each in (features, features[::-1]))
    assert np.allclose(first, second, atol=1e-5)


def test_fit_writes_a_model_that_loads_and_a_record_beside_it(tmp_path: Path, weights: Path) -> None:
    catalog = write_catalog(tmp_path / "shop", 12)
    output = tmp_path / "models" / "m.safetensors"
    fitted = fit(
        catalog, output, init=weights, backbone="squeezenet1_1", dimension=8, float16=True, threads=1
    )
    model = load_model(output, fitted.digest)
    assert (model.info.architecture, model.info.dimension, model.info.metric) == ("pca", 8, "cosine")
    assert "12 product images" in model.info.provenance
    with torch.inference_mode():
        vectors = model.net(torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8))
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["metrics"]["digest"] == fitted.digest
    assert record["config"]["seed"] == 0
    assert "torch" in record["versions"]
    assert str(tmp_path) not in output.with_suffix(".json").read_text()


def test_the_same_catalogue_gives_the_same_file(tmp_path: Path, weights: Path) -> None:
    catalog = write_catalog(tmp_path / "shop", 6)
    digests = {
        fit(
            catalog,
            tmp_path / f"{run}.safetensors",
            init=weights,
            backbone="squeezenet1_1",
            dimension=4,
            threads=1,
        ).digest
        for run in range(2)
    }
    assert len(digests) == 1


def test_too_few_images_lower_the_dimension_and_say_so(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = write_catalog(tmp_path / "shop", 5)
    main(
        [str(catalog), str(tmp_path / "m.safetensors"), "--init", str(weights), "--backbone", "squeezenet1_1"]
    )
    shown = capsys.readouterr()
    assert "the dimension is 4 instead of 256" in shown.err
    assert "4 dimensions from 5 images" in shown.out
    assert load_model(tmp_path / "m.safetensors").info.dimension == 4


def test_one_image_is_not_enough(tmp_path: Path, weights: Path) -> None:
    catalog = write_catalog(tmp_path / "shop", 1)
    with pytest.raises(CannotFitError, match="1 usable product images"):
        fit(catalog, tmp_path / "m.safetensors", init=weights, backbone="squeezenet1_1", threads=1)


def test_weights_of_another_backbone_are_refused(tmp_path: Path, weights: Path) -> None:
    catalog = write_catalog(tmp_path / "shop", 3)
    with pytest.raises(CannotFitError, match="not those of resnet18"):
        fit(catalog, tmp_path / "m.safetensors", init=weights, backbone="resnet18", threads=1)


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "shop", 3)
    (tmp_path / "junk").write_bytes(b"junk" * 100)
    with pytest.raises(CannotFitError, match="cannot be read"):
        fit(catalog, tmp_path / "m.safetensors", init=tmp_path / "junk", threads=1)
