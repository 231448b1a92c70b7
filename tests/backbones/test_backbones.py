import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotator.backbones import BACKBONES, Backbone, open_backbone, slug
from annotator.backbones.open_clip import OpenClipBackbone, architecture
from annotator.errors import AnnotatorError, BadInputError, DeviceError, MissingError, UnknownNameError, UsageError


@pytest.fixture(params=list(BACKBONES))
def backbone(request: pytest.FixtureRequest) -> Backbone:
    if request.param == "onnx":
        data = request.getfixturevalue("real_data")
        return open_backbone(f"onnx:{data}/models/mobilenet_v2_imagenet.json", "cpu")
    if request.param == "open_clip":
        return open_backbone(request.getfixturevalue("tiny_open_clip"), "cpu")
    return open_backbone(request.param, "cpu")


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = [(120, 80), (80, 120), (1, 1), (400, 3), (33, 33)]
    return [Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8)) for width, height in sizes]


def vectors(backbone: Backbone, images: list[Image.Image]) -> Any:
    return backbone.encode_images(np.stack([backbone.preprocess(image) for image in images]))


def test_every_picture_becomes_a_unit_vector_of_the_stated_length(backbone: Backbone) -> None:
    found = vectors(backbone, pictures())
    assert found.shape == (5, backbone.dim)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)


def test_a_vector_does_not_depend_on_its_batch(backbone: Backbone) -> None:
    together = vectors(backbone, pictures())
    alone = np.concatenate([vectors(backbone, [image]) for image in pictures()])
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_different_pictures_get_different_vectors(backbone: Backbone) -> None:
    red, noise = Image.new("RGB", (64, 64), "red"), pictures()[0]
    one, other = vectors(backbone, [red, noise])
    assert one @ other < 0.999


def test_grey_and_palette_pictures_are_taken(backbone: Backbone) -> None:
    for mode in ("L", "P"):
        assert vectors(backbone, [pictures()[0].convert(mode)]).shape == (1, backbone.dim)


def test_preprocessing_in_threads_gives_the_same(backbone: Backbone) -> None:
    images = pictures() * 8
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(backbone.preprocess, images))
    for one, image in zip(threaded, images, strict=True):
        np.testing.assert_array_equal(one, backbone.preprocess(image))


def test_pictures_reach_open_clip_as_its_own_transform_makes_them(tiny_open_clip: str) -> None:
    import open_clip
    import torch

    backbone = open_backbone(tiny_open_clip, "cpu")
    assert isinstance(backbone, OpenClipBackbone)
    _, _, transform = open_clip.create_model_and_transforms(backbone.model_name)
    ours = backbone.pixels(np.stack([backbone.preprocess(image) for image in pictures()]))
    theirs = torch.stack([transform(image) for image in pictures()])
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_words_are_unit_vectors_beside_the_pictures_or_there_are_none(backbone: Backbone) -> None:
    texts = backbone.encode_texts(["a boat", "two dogs"])
    assert (texts is not None) == backbone.has_texts
    if texts is not None:
        assert texts.shape == (2, backbone.dim)
        np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "weights", "built"),
    [
        ("ViT-B-32", "openai", "ViT-B-32-quickgelu"),
        ("ViT-L-14", "openai", "ViT-L-14-quickgelu"),
        ("ViT-B-32-quickgelu", "openai", "ViT-B-32-quickgelu"),
        ("ViT-B-32", "laion2b_s34b_b79k", "ViT-B-32"),
    ],
)
def test_weights_go_into_the_model_they_were_trained_as(model: str, weights: str, built: str) -> None:
    assert architecture(model, weights) == built


def test_the_name_is_a_file_name_and_tells_weights_apart(tiny_open_clip: str, tmp_path: Path) -> None:
    import torch

    first = open_backbone(tiny_open_clip, "cpu")
    model, _, checkpoint = tiny_open_clip.partition("@")
    state = torch.load(checkpoint, weights_only=True)
    other = tmp_path / "other.pt"
    torch.save({name: tensor + 0.01 if tensor.is_floating_point() else tensor for name, tensor in state.items()}, other)
    second = open_backbone(f"{model}@{other}", "cpu")
    assert first.name != second.name
    assert len({slug(first.name), slug(second.name)}) == 2
    assert "/" not in slug("open_clip:ViT-B-32/openai")


def test_the_standin_tells_photos_by_words(real_data: Path) -> None:
    backbone = open_backbone(f"open_clip:standin-mnv2@{real_data}/models/standin_openclip/standin-mnv2.pt", "cpu")
    photo = Image.open(real_data / "coco256" / "images" / "000000000034.jpg")
    texts = backbone.encode_texts(["a zebra", "a pizza", "a laptop"])
    assert texts is not None
    assert int((vectors(backbone, [photo]) @ texts.T).argmax()) == 0


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("clip", UnknownNameError, "open_clip"),
        ("onnx", UsageError, "onnx:FILE.json"),
        ("onnx:nowhere.json", MissingError, "nowhere.json"),
        ("open_clip:ViT-B-32", UsageError, "PRETRAINED"),
        ("open_clip:ViT-B-32/openia", UnknownNameError, "did you mean 'openai'"),
        ("open_clip:ViT-B-33/openai", UnknownNameError, "ViT-B-32"),
        ("open_clip:ViT-B-32@nowhere.pt", MissingError, "nowhere.pt"),
    ],
)
def test_what_cannot_be_opened_says_what_would(spec: str, error: type[AnnotatorError], says: str) -> None:
    with pytest.raises(error, match=says):
        open_backbone(spec, "cpu")


def test_missing_weights_name_the_command_that_fetches_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import open_clip

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", offline)
    with pytest.raises(MissingError, match="python -c"):
        open_backbone("open_clip:ViT-B-32/openai", "cpu")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dim": 7}, "'dim' says 7"),
        ({"dim": "many"}, "field 'dim'"),
        ({"input": "picture"}, "image"),
        ({"embedding": "vector"}, "features"),
        ({"file": "gone.onnx"}, "gone.onnx"),
        ({"resize": "stretch"}, "field 'resize'"),
        ({"size": 0}, "field 'size'"),
        ({"layout": "CHWN"}, "field 'layout'"),
    ],
)
def test_a_wrong_json_names_file_field_and_value(
    real_data: Path, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    described = json.loads((real_data / "models" / "mobilenet_v2_imagenet.json").read_text())
    shutil.copy(real_data / "models" / described["file"], tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(described | change))
    with pytest.raises(AnnotatorError, match=says):
        open_backbone(f"onnx:{tmp_path / 'm.json'}", "cpu")


def test_a_file_that_is_no_model_is_refused(real_data: Path, tmp_path: Path) -> None:
    described = json.loads((real_data / "models" / "mobilenet_v2_imagenet.json").read_text())
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (tmp_path / "m.json").write_text(json.dumps(described | {"file": "bad.onnx"}))
    with pytest.raises(BadInputError, match=r"bad\.onnx"):
        open_backbone(f"onnx:{tmp_path / 'm.json'}", "cpu")


def test_text_vectors_of_a_table_are_found_by_name_article_and_synonym(real_data: Path, tmp_path: Path) -> None:
    described = json.loads((real_data / "models" / "mobilenet_v2_imagenet.json").read_text())
    shutil.copy(real_data / "models" / described["file"], tmp_path)
    table = np.random.default_rng(0).normal(size=(2, described["dim"])).astype(np.float32)
    np.savez(tmp_path / "words.npz", names=["dog", "cat"], emb=table, synonyms=["puppy"], synonym_of=["dog"])
    (tmp_path / "m.json").write_text(json.dumps(described | {"texts": "words.npz"}))
    backbone = open_backbone(f"onnx:{tmp_path / 'm.json'}", "cpu")
    found = backbone.encode_texts(["Dog", "a photo of a dog", "puppy"])
    assert found is not None
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2])
    with pytest.raises(UnknownNameError, match="unicorn"):
        backbone.encode_texts(["unicorn"])


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="ANNOTATOR_DEVICE"):
        open_backbone("descriptor", "cuda")


@pytest.mark.gpu
def test_a_gpu_gives_the_vectors_of_the_cpu(tiny_open_clip: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    one, other = (vectors(open_backbone(tiny_open_clip, device), pictures()) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(one, other, atol=2e-2)
