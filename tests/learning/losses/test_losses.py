"""What every loss in LOSSES promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.learning.losses import LOSSES, Loss

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
logit = st.floats(-30, 30)
state = st.sampled_from([-1, 0, 1])
entries = st.lists(st.tuples(logit, state, st.floats(0, 5)), min_size=1, max_size=20)


def tensors(rows: list[tuple[float, int, float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    z, y, w = zip(*rows, strict=True)
    return torch.tensor(z, dtype=torch.float64), torch.tensor(y, dtype=torch.int8), torch.tensor(w, dtype=torch.float64)


@every_loss
@settings(max_examples=50, deadline=None)
@given(entries)
def test_unknown_entries_give_exactly_nothing(loss: Loss, rows: list[tuple[float, int, float]]) -> None:
    z, y, w = tensors(rows)
    for term in loss(z, y, w):
        assert (term[y < 0] == 0).all()


@every_loss
@settings(max_examples=50, deadline=None)
@given(entries)
def test_the_gradient_is_the_slope_of_the_loss_and_the_curvature_its_slope_cut_at_zero(
    loss: Loss, rows: list[tuple[float, int, float]]
) -> None:
    z, y, w = tensors(rows)
    terms, h = loss(z, y, w), 1e-5
    up, down = loss(z + h, y, w), loss(z - h, y, w)
    np.testing.assert_allclose(terms.gradient, (up.loss - down.loss) / (2 * h), rtol=1e-5, atol=1e-6)
    bend = ((up.gradient - down.gradient) / (2 * h)).clamp(min=0)
    np.testing.assert_allclose(terms.curvature, bend, rtol=1e-5, atol=1e-6)


@every_loss
@settings(max_examples=50, deadline=None)
@given(logit, st.sampled_from([0, 1]))
def test_the_loss_is_not_negative_and_pulls_towards_the_label(loss: Loss, z: float, y: int) -> None:
    terms = loss(torch.tensor([z]), torch.tensor([y]))
    assert terms.loss >= 0
    assert terms.gradient <= 0 if y == 1 else terms.gradient >= 0


@every_loss
def test_huge_logits_stay_finite(loss: Loss) -> None:
    z = torch.tensor([-1e4, 1e4, -1e4, 1e4, 0.0])
    for term in loss(z, torch.tensor([0, 0, 1, 1, -1])):
        assert term.isfinite().all()


@every_loss
@settings(max_examples=50, deadline=None)
@given(entries)
def test_a_weight_multiplies_the_entry(loss: Loss, rows: list[tuple[float, int, float]]) -> None:
    z, y, w = tensors(rows)
    for weighted, plain in zip(loss(z, y, w), loss(z, y), strict=True):
        np.testing.assert_allclose(weighted, plain * w, rtol=1e-12)


def test_masked_bce_equals_torch_on_the_known_part() -> None:
    rng = np.random.default_rng(0)
    z, y = torch.tensor(rng.normal(0, 5, (50, 4))), torch.tensor(rng.integers(-1, 2, (50, 4)))
    known = y >= 0
    expected = torch.nn.functional.binary_cross_entropy_with_logits(z[known], y[known].double(), reduction="none")
    np.testing.assert_allclose(LOSSES["masked_bce"](z, y).loss[known], expected, rtol=1e-10)


def test_focal_equals_its_formula_at_a_hand_worked_point() -> None:
    # z = 0: q = 1/2, loss = (1/2)^2 log 2
    terms = LOSSES["focal"](torch.zeros(2, dtype=torch.float64), torch.tensor([1, 0]))
    np.testing.assert_allclose(terms.loss, [np.log(2) / 4] * 2)
    assert terms.gradient[0] == -terms.gradient[1]
