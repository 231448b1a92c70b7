"""fit_head: what it refuses, and its hooks."""

from typing import Any

import numpy as np
import pytest

from annotator.errors import BadInputError, DeviceError, UnknownNameError, UsageError
from annotator.learning.fit import fit_head
from annotator.learning.heads import HEADS, HeadSettings
from annotator.learning.heads.examples_words import STIFF
from tests.learning.heads.test_heads import images

X, LABELS, TEXTS = images(n=40)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"name": "text_anchord"}, UnknownNameError, "did you mean 'text_anchored'"),
        ({"loss": "bce"}, UnknownNameError, "no loss is called 'bce'"),
        ({"rigde": 1.0}, UnknownNameError, "did you mean 'ridge'"),
        ({"ridge": 0.0}, UsageError, "ridge is 0.0"),
        ({"ridges": ()}, UsageError, "ridges is"),
        ({"device": "tpu"}, UnknownNameError, "no device is called 'tpu'"),
        ({"labels": LABELS[:-1]}, UsageError, "(39, 5)"),
        ({"labels": LABELS + 2}, BadInputError, "from 1 to 3"),
        ({"labels": LABELS[:, :0]}, UsageError, "without a dimension or a tag"),
        ({"X": X.astype(np.int64)}, UsageError, "int64"),
        ({"X": np.where(np.arange(12) == 3, np.nan, X)}, BadInputError, "not finite"),
        ({"texts": TEXTS[:-1]}, UsageError, "text vectors has shape (4, 12)"),
        ({"texts": TEXTS * np.inf}, BadInputError, "text vector is not finite"),
        ({"weights": -np.ones(LABELS.shape)}, BadInputError, "smallest weight is -1.0"),
        ({"weights": np.ones(5)}, UsageError, "weights has shape (5,)"),
        ({"validation": (X[:, :3], LABELS)}, UsageError, "validation embeddings has shape (40, 3)"),
        ({"validation": (X * np.nan, LABELS)}, BadInputError, "validation images is not finite"),
        ({"validation": (X, LABELS[:, :3])}, UsageError, "validation labels has shape (40, 3)"),
    ],
)
def test_what_does_not_fit_is_named_with_its_value(changes: dict[str, Any], error: type[Exception], says: str) -> None:
    arguments: dict[str, Any] = {"name": "text_anchored", "X": X, "labels": LABELS, **changes}
    with pytest.raises(error) as caught:
        fit_head(**arguments)
    assert says in str(caught.value)


def test_cuda_without_a_device_is_an_error_that_says_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="use 'cpu'"):
        fit_head("text_anchored", X, LABELS, device="cuda")


def test_an_earlier_head_of_other_tags_is_refused() -> None:
    earlier, _ = fit_head("text_anchored", X, LABELS)
    with pytest.raises(UsageError, match=r"earlier head has shape \(5, 12\)"):
        fit_head("text_anchored", X, LABELS[:, :4], warm=earlier)


@pytest.mark.parametrize("name", HEADS)
def test_the_report_counts_what_was_done(name: str) -> None:
    head, report = fit_head(name, X, LABELS, ridge=0.5)
    tags = LABELS.shape[1]
    assert report.iterations > 0
    assert report.converged.shape == report.ridge.shape == report.loss.shape == (tags,)
    # Words and examples leave nothing free for a penalty of one's own.
    np.testing.assert_array_equal(report.ridge, np.float32(STIFF if name == "examples_words" else 0.5))
    np.testing.assert_array_equal(head.ridge, report.ridge)
    assert (report.loss > 0).all()


def test_a_fit_that_may_not_take_enough_steps_says_so() -> None:
    _, report = fit_head("text_anchored", X, LABELS, tolerance=1e-9, max_iterations=1)
    assert not report.converged.any()
    assert report.iterations == 1


@pytest.mark.parametrize("name", HEADS)
def test_progress_reaches_the_end_and_can_stop_the_fit(name: str) -> None:
    seen: list[tuple[int, int]] = []
    fit_head(name, X, LABELS, validation=(X, LABELS), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert all(done <= total for done, total in seen)

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        fit_head(name, X, LABELS, progress=stop)


def test_a_validation_set_without_answers_leaves_the_default_penalty() -> None:
    _, report = fit_head("text_anchored", X, LABELS, validation=(X, np.full_like(LABELS, -1)))
    np.testing.assert_array_equal(report.ridge, np.float32(HeadSettings().ridge))
    whole, _ = fit_head("text_anchored", X, LABELS, ridge=1)
    np.testing.assert_array_equal(whole.ridge, 1)


def test_settings_and_single_changes_go_together() -> None:
    _, report = fit_head("text_anchored", X, LABELS, settings=HeadSettings(ridge=0.7, rank=4), max_iterations=50)
    np.testing.assert_array_equal(report.ridge, np.float32(0.7))


def test_focal_loss_drops_in() -> None:
    plain, _ = fit_head("text_anchored", X, LABELS)
    other, report = fit_head("text_anchored", X, LABELS, loss="focal")
    assert report.converged.all()
    assert np.abs(plain.logits(X) - other.logits(X)).max() > 0.05
