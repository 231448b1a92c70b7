"""What every loss in LOSSES promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.learning.losses import LOSSES, Loss
from annotator.learning.losses.distribution_balanced import rebalanced

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
entrywise, pairwise = (
    pytest.mark.parametrize(
        "loss", [pytest.param(loss, id=name) for name, loss in LOSSES.items() if loss.entrywise == kind]
    )
    for kind in (True, False)
)
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


@entrywise
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


@pairwise
@settings(max_examples=50, deadline=None)
@given(entries)
def test_the_slopes_of_a_loss_of_pairs_are_those_of_its_sum(loss: Loss, rows: list[tuple[float, int, float]]) -> None:
    z, y, w = tensors(rows)
    terms = loss(z, y, w)

    def total(logits: torch.Tensor) -> torch.Tensor:
        return loss(logits, y, w).loss.sum()

    def pull(logits: torch.Tensor) -> torch.Tensor:
        return loss(logits, y, w).gradient

    np.testing.assert_allclose(terms.gradient, torch.autograd.functional.jacobian(total, z), rtol=1e-6, atol=1e-7)
    bend = torch.autograd.functional.jacobian(pull, z).diagonal()
    np.testing.assert_allclose(terms.curvature, bend, rtol=1e-6, atol=1e-7)


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


@entrywise
@settings(max_examples=50, deadline=None)
@given(entries)
def test_a_weight_multiplies_the_entry(loss: Loss, rows: list[tuple[float, int, float]]) -> None:
    z, y, w = tensors(rows)
    for weighted, plain in zip(loss(z, y, w), loss(z, y), strict=True):
        np.testing.assert_allclose(weighted, plain * w, rtol=1e-9, atol=1e-300)


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


def test_pairwise_ranking_is_the_mean_over_negatives_of_the_squared_hinge_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    z, y, w = rng.normal(0, 2, (3, 40)), rng.integers(-1, 2, (3, 40)), rng.random((3, 40))
    found = LOSSES["pairwise_ranking"](torch.tensor(z), torch.tensor(y), torch.tensor(w)).loss.sum(1)
    for tag in range(3):
        up, down = y[tag] == 1, y[tag] == 0
        hinge = np.maximum(0, 1 - z[tag, up][:, None] + z[tag, down]) ** 2
        expected = (hinge * w[tag, up][:, None] * w[tag, down]).sum() / w[tag, down].sum()
        np.testing.assert_allclose(found[tag], expected, rtol=1e-10)


def test_a_rare_tag_of_an_image_weighs_more_than_a_common_one_and_unknown_tags_do_not_change_it() -> None:
    labels = np.zeros((10, 3), np.int8)
    labels[:, 0], labels[0, 1] = 1, 1
    weights = rebalanced(labels)
    # r = (1 / 1) / (1 / 10 + 1) and (1 / 10) / (1 / 10 + 1), by hand
    share = np.array([1 / 11, 10 / 11])
    np.testing.assert_allclose(weights[0, :2], 0.1 + 1 / (1 + np.exp(-10 * (share - 0.3))), rtol=1e-6)
    labels[:, 2] = -1
    np.testing.assert_array_equal(rebalanced(labels)[:, :2], weights[:, :2])


def test_distribution_balanced_tolerates_a_negative_that_is_right() -> None:
    far, absent = torch.tensor([-2.0]), torch.tensor([0])
    balanced, plain = (LOSSES[name](far, absent).gradient for name in ("distribution_balanced", "masked_bce"))
    assert 0 < balanced < plain / 100
