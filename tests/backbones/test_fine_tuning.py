import copy
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from annotator.backbones import open_backbone
from annotator.backbones.fine_tuning import (
    TUNINGS,
    Batch,
    Examples,
    Pictures,
    Places,
    State,
    Tuned,
    TuningSettings,
    tune,
)
from annotator.backbones.open_clip import OpenClipBackbone
from annotator.errors import MissingError, UnknownNameError, UsageError
from annotator.learning.losses import LOSSES
from annotator.progress import Cancelled
from tests.conftest import TINY

TRAIN, HELD, TAGS = 48, 24, 3
FAST = TuningSettings(blocks=1, epochs=3, batch=16, patience=3, learning_rate=1e-3)
MEASURING, AN_EPOCH = 2, 5  # batches of the held-out pictures; of those and the training ones
Weights = dict[str, NDArray[Any]]


@pytest.fixture
def backbone(tiny_open_clip: str) -> OpenClipBackbone:
    return opened(tiny_open_clip)


@pytest.fixture(params=list(TUNINGS))
def settings(request: pytest.FixtureRequest) -> TuningSettings:
    return replace(FAST, way=request.param)


def opened(spec: str, device: str = "cpu") -> OpenClipBackbone:
    backbone = open_backbone(spec, device)
    assert isinstance(backbone, OpenClipBackbone)
    return backbone


def open_again(backbone: OpenClipBackbone) -> OpenClipBackbone:
    """A second model with the same weights."""
    again = copy.copy(backbone)
    again.model = copy.deepcopy(backbone.model)
    return again


def world(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Noise whose channels are bright where the tag of the channel is present."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, TAGS)) < 0.5).astype(np.int8)
    pixels = rng.normal(size=(count, 3, 32, 32)) + labels[:, :, None, None]
    return pixels.astype(np.float32), labels


def reader(pixels: NDArray[np.float32], broken: Sequence[int] = ()) -> Pictures:
    def read(batches: Sequence[Places]) -> Iterator[Batch]:
        for places in batches:
            good = places[~np.isin(places, broken)]
            yield good, pixels[good]

    return read


def examples(count: int, seed: int, broken: Sequence[int] = ()) -> Examples:
    pixels, labels = world(count, seed)
    return Examples(reader(pixels, broken), labels)


def head() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(TAGS, 24)).astype(np.float32), rng.normal(size=TAGS).astype(np.float32)


def says(backbone: OpenClipBackbone, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, C) logits of the untouched head."""
    matrix, bias = head()
    found: NDArray[np.float32] = backbone.encode_pixels(torch.from_numpy(pixels)) @ matrix.T + bias
    return found


def run(backbone: OpenClipBackbone, settings: TuningSettings, **changes: Any) -> Tuned:
    given = {"train": examples(TRAIN, 1), "held_out": examples(HELD, 2), "loss": LOSSES["masked_bce"], **changes}
    return tune(backbone.model, *head(), settings=settings, device=backbone.device, **given)


def weights(backbone: OpenClipBackbone) -> Weights:
    return {name: tensor.cpu().numpy().copy() for name, tensor in backbone.model.state_dict().items()}


def changed(before: Weights, after: Weights) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_it_starts_exactly_where_the_head_stands(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    standing = says(backbone, world(HELD, 2)[0])
    np.testing.assert_allclose(run(backbone, settings).before, standing, atol=1e-5)


def test_tuning_lowers_the_held_out_loss_and_says_by_how_much(
    backbone: OpenClipBackbone, settings: TuningSettings
) -> None:
    tuned = run(backbone, settings)
    assert tuned.best > 0
    assert tuned.losses[tuned.best] == min(tuned.losses) < tuned.losses[0]
    z, labels = tuned.after.astype(np.float64), world(HELD, 2)[1]
    assert tuned.losses[tuned.best] == pytest.approx(np.mean(np.logaddexp(0, z) - labels * z), rel=1e-5)
    assert np.array_equal(tuned.places, np.arange(HELD))


def test_the_tuned_tower_says_what_was_measured_before_adapters_were_merged(
    backbone: OpenClipBackbone, settings: TuningSettings
) -> None:
    tuned = run(backbone, settings)
    found = backbone.encode_pixels(torch.from_numpy(world(HELD, 2)[0])) @ tuned.weights.T + tuned.bias
    np.testing.assert_allclose(found, tuned.after, atol=1e-5)
    assert not any("parametrizations" in name for name in backbone.model.state_dict())
    assert not any(weight.requires_grad for weight in backbone.model.parameters())


BLOCK = "visual.transformer.resblocks.1."
MATRICES = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
LEARNED = {
    "last_blocks": (BLOCK, "visual.ln_post.", "visual.proj"),
    "lora": tuple(BLOCK + name for name in MATRICES),
}


def test_what_is_frozen_stays_and_all_else_learns(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    before = weights(backbone)
    run(backbone, settings)
    expected = {name for name in before if name.startswith(LEARNED[settings.way])}
    assert changed(before, weights(backbone)) == expected


def test_more_blocks_than_there_are_means_all(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    before = weights(backbone)
    run(backbone, replace(settings, blocks=99))
    differ = changed(before, weights(backbone))
    assert any("resblocks.0" in name for name in differ)
    assert all(name.startswith("visual.") and "conv1" not in name for name in differ)


def test_words_keep_their_vectors(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    words = ["a boat", "two dogs"]
    before = backbone.encode_texts(words)
    assert run(backbone, settings).best > 0
    np.testing.assert_array_equal(backbone.encode_texts(words), before)


def test_unknown_labels_never_move_it(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    pixels, labels = world(TRAIN, 1)
    before = weights(backbone)
    tuned = run(backbone, settings, train=Examples(reader(pixels), np.full_like(labels, -1)))
    assert set(tuned.losses) == {tuned.losses[0]}
    assert changed(before, weights(backbone)) == set()


def test_a_picture_of_unknown_labels_may_show_anything(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    pixels, labels = world(TRAIN, 1)
    labels[7] = -1
    painted = pixels.copy()
    painted[7] = 5
    one, other = (run(open_again(backbone), settings, train=Examples(reader(p), labels)) for p in (pixels, painted))
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-5)


def test_where_nothing_is_better_the_tower_is_untouched(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    """The head is right on the held-out pictures, and all answers that train say the contrary."""
    before = weights(backbone)
    held, shown = world(HELD, 2)[0], world(TRAIN, 1)[0]
    right = Examples(reader(held), (says(backbone, held) > 0).astype(np.int8))
    contrary = Examples(reader(shown), (says(backbone, shown) <= 0).astype(np.int8))
    tuned = run(backbone, settings, train=contrary, held_out=right)
    assert tuned.best == 0
    assert changed(before, weights(backbone)) == set()
    assert np.array_equal(tuned.after, tuned.before)
    assert np.array_equal(tuned.weights, head()[0])


def test_it_ends_when_patience_does(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    held, shown = world(HELD, 2)[0], world(TRAIN, 1)[0]
    right = Examples(reader(held), (says(backbone, held) > 0).astype(np.int8))
    contrary = Examples(reader(shown), (says(backbone, shown) <= 0).astype(np.int8))
    tuned = run(backbone, replace(settings, epochs=9, patience=2), train=contrary, held_out=right)
    assert len(tuned.losses) == 1 + 2


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    backbone: OpenClipBackbone, settings: TuningSettings
) -> None:
    one, other, third = (open_again(backbone) for _ in range(3))
    losses = run(one, settings).losses
    assert run(other, settings).losses == losses
    assert changed(weights(one), weights(other)) == set()
    assert run(third, replace(settings, seed=1)).losses != losses


def test_training_pictures_are_shown_as_they_are_or_mirrored_left_to_right(
    backbone: OpenClipBackbone, settings: TuningSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[NDArray[Any]] = []
    encode = backbone.model.encode_image

    def watched(images: Any) -> Any:
        seen.extend(images.numpy().copy())
        return encode(images)

    monkeypatch.setattr(backbone.model, "encode_image", watched)
    run(backbone, replace(settings, epochs=1))
    pixels = world(TRAIN, 1)[0]
    trained = seen[HELD : HELD + TRAIN]
    as_they_are = sum(any(np.array_equal(one, image) for image in pixels) for one in trained)
    mirrored = sum(any(np.array_equal(one[..., ::-1], image) for image in pixels) for one in trained)
    assert as_they_are + mirrored == TRAIN
    assert min(as_they_are, mirrored) > TRAIN / 4
    assert all(np.array_equal(one, image) for one, image in zip(seen[-HELD:], world(HELD, 2)[0], strict=True))


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("epochs", [1, 2])
def test_killed_and_resumed_equals_undisturbed(
    backbone: OpenClipBackbone, settings: TuningSettings, tmp_path: Path, epochs: int
) -> None:
    state = State(tmp_path / "state.pt", "key")
    quiet, disturbed, resumed = (open_again(backbone) for _ in range(3))
    undisturbed = run(quiet, settings)
    stored = MEASURING + epochs * AN_EPOCH

    def kill(done: int, _total: int, _what: str) -> None:
        if done == stored + 2:  # in the middle of the next epoch
            raise Killed

    with pytest.raises(Killed):
        run(disturbed, settings, state=state, progress=kill)
    told: list[int] = []
    found = run(resumed, settings, state=state, progress=lambda done, _total, _what: told.append(done))
    assert told[0] == stored + 1
    assert found.losses == undisturbed.losses
    assert np.array_equal(found.after, undisturbed.after)
    assert changed(weights(quiet), weights(resumed)) == set()


def test_the_state_of_another_run_is_not_gone_on_with(
    backbone: OpenClipBackbone, settings: TuningSettings, tmp_path: Path
) -> None:
    one, other = open_again(backbone), open_again(backbone)
    run(one, replace(settings, epochs=1), state=State(tmp_path / "state.pt", "one"))
    told: list[int] = []
    run(other, settings, state=State(tmp_path / "state.pt", "other"), progress=lambda done, *_: told.append(done))
    assert told[0] == 1


def test_the_state_is_plain_data(backbone: OpenClipBackbone, settings: TuningSettings, tmp_path: Path) -> None:
    run(backbone, settings, state=State(tmp_path / "state.pt", "key"))
    stored = torch.load(io.BytesIO((tmp_path / "state.pt").read_bytes()), weights_only=True)
    assert stored["key"] == "key"


def test_progress_is_told_each_batch_and_may_end_it(
    backbone: OpenClipBackbone, settings: TuningSettings, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    run(open_again(backbone), settings, progress=lambda done, total, _what: told.append((done, total)))
    steps = MEASURING + 3 * AN_EPOCH
    assert told[:-1] == [(step, steps) for step in range(1, steps + 1)]

    def cancel(done: int, _total: int, _what: str) -> None:
        if done == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(backbone, settings, state=State(tmp_path / "state.pt", "key"), progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_cannot_be_read_are_left_out(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    broken = [3, *range(16, HELD)]
    tuned = run(backbone, settings, train=examples(TRAIN, 1, range(20)), held_out=examples(HELD, 2, broken))
    assert tuned.places.tolist() == [place for place in range(16) if place != 3]
    assert tuned.before.shape == tuned.after.shape == (15, TAGS)


def test_no_readable_held_out_picture_is_told(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    with pytest.raises(MissingError, match="none of the held-out"):
        run(backbone, settings, held_out=examples(HELD, 2, range(HELD)))


def test_held_out_pictures_that_go_meanwhile_end_it(backbone: OpenClipBackbone, settings: TuningSettings) -> None:
    pixels, labels = world(HELD, 2)
    broken: list[int] = []

    def lose_one(done: int, _total: int, _what: str) -> None:
        if done == MEASURING:
            broken.append(5)

    with pytest.raises(MissingError, match="run it again"):
        run(backbone, settings, held_out=Examples(reader(pixels, broken), labels), progress=lose_one)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"way": "last_block"}, UnknownNameError, "did you mean 'last_blocks'"),
        ({"blocks": 0}, UsageError, "blocks is 0"),
        ({"epochs": 0}, UsageError, "epochs is 0"),
        ({"learning_rate": 7.0}, UsageError, r"rate is 7\.0"),
        ({"learning_rate": 0.0}, UsageError, r"rate is 0\.0"),
    ],
)
def test_settings_that_do_not_fit_are_told(
    backbone: OpenClipBackbone, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        run(backbone, replace(FAST, **change))


TIMM = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "token", "timm_proj": "linear", "image_size": 224}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}


@pytest.mark.parametrize(
    ("vision", "way", "learned"),
    [
        (TIMM, "last_blocks", ("trunk.blocks.11.", "trunk.norm.", "head.proj.")),
        (TIMM, "lora", tuple(f"trunk.blocks.11.{name}.weight" for name in
                             ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"))),
        (RESNET, "last_blocks", ("attnpool.",)),
    ],
    ids=["timm last_blocks", "timm lora", "resnet last_blocks"],
)  # fmt: skip
def test_towers_of_other_makes_learn_in_their_last_parts(
    tmp_path: Path, vision: dict[str, Any], way: str, learned: tuple[str, ...]
) -> None:
    import open_clip

    name = f"other-{way}-{len(vision)}"
    (tmp_path / f"{name}.json").write_text(json.dumps({**TINY, "vision_cfg": vision}))
    open_clip.add_model_config(tmp_path)
    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms(name)
    backbone = OpenClipBackbone(name, name, model, transform, "cpu")
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(4, 3, backbone.draft_size, backbone.draft_size)).astype(np.float32)
    shown = Examples(reader(pixels), rng.integers(0, 2, (4, TAGS)).astype(np.int8))
    before = weights(backbone)
    assert run(backbone, TuningSettings(way, blocks=1, epochs=2), train=shown, held_out=shown).best > 0
    differ = changed(before, weights(backbone))
    assert differ
    assert all(name.startswith(tuple(f"visual.{part}" for part in learned)) for name in differ)
    assert all(any(name.startswith(f"visual.{part}") for name in differ) for part in learned)


@pytest.fixture
def standin(real_data: Path) -> OpenClipBackbone:
    return opened(f"open_clip:standin-mnv2@{real_data}/models/standin_openclip/standin-mnv2.pt")


def test_a_convolutional_tower_learns_in_its_last_parts_and_projection(standin: OpenClipBackbone) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(4, 3, 224, 224)).astype(np.float32)
    shown = Examples(reader(pixels), rng.integers(0, 2, (4, TAGS)).astype(np.int8))
    matrix = rng.normal(size=(TAGS, standin.dim)).astype(np.float32)
    settings = TuningSettings(epochs=2, batch=4)
    before = weights(standin)
    tuned = tune(standin.model, matrix, np.zeros(TAGS, np.float32), shown, shown, LOSSES["masked_bce"], settings)
    assert tuned.best > 0
    differ = changed(before, weights(standin))
    assert {name.removeprefix("visual.trunk.").split(".")[0] for name in differ if "trunk" in name} == {
        "conv_head",
        "bn2",
    }
    assert all(name.startswith(("visual.trunk.", "visual.head.")) for name in differ)
    assert not any("running" in name or "batches" in name for name in differ)


def test_lora_on_a_convolutional_tower_names_the_way_that_fits(standin: OpenClipBackbone) -> None:
    with pytest.raises(UsageError, match=r"has none; .*last_blocks"):
        run(standin, replace(FAST, way="lora"))


@pytest.mark.gpu
def test_a_gpu_tunes_too(tiny_open_clip: str, settings: TuningSettings, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    backbone, state = opened(tiny_open_clip, "cuda"), State(tmp_path / "state.pt", "key")
    tuned = run(backbone, settings, state=state)
    assert tuned.losses[tuned.best] < tuned.losses[0]
    found = backbone.encode_pixels(torch.from_numpy(world(HELD, 2)[0])) @ tuned.weights.T + tuned.bias
    np.testing.assert_allclose(found, tuned.after, atol=2e-2)
    assert run(opened(tiny_open_clip, "cuda"), settings, state=state).losses == tuned.losses  # all of it remembered
