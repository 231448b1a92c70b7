import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from annotator.errors import UsageError
from annotator.learning.bounds import (
    ACCEPT_PRIOR,
    REJECT_PRIOR,
    Interval,
    Mixture,
    Prior,
    clopper_pearson,
    clopper_pearson_intervals,
    hypergeometric_interval,
    interval,
    interval_path,
    model_prior,
    set_prior,
)

PRIORS = [ACCEPT_PRIOR, REJECT_PRIOR, (1.0, 1.0), (0.3, 70.0), (model_prior(0.001), REJECT_PRIOR)]


def shuffled(rng: np.random.Generator, size: int, positives: int) -> np.ndarray:
    return rng.permutation(np.arange(size) < positives).astype(np.int8)


def full_search(drawn: int, positives: int, size: int, alpha: float, prior: Prior | Mixture) -> Interval:
    """Every K whose prior / posterior is below 1 / alpha, with scipy's distributions."""
    k = np.arange(size + 1)
    parts = prior if isinstance(prior[0], tuple) else (prior,)
    before = special.logsumexp([stats.betabinom.logpmf(k, size, *part) for part in parts], axis=0)
    seen = stats.hypergeom.logpmf(positives, size, k, drawn)
    marginal = special.logsumexp(before + seen)
    # Bayes' rule for the whole mixture: prior / posterior = marginal / likelihood.
    inside = np.flatnonzero(np.isfinite(seen) & (marginal - seen - np.log(len(parts)) < -np.log(alpha)))
    assert (np.diff(inside) == 1).all()
    return Interval(int(inside[0]), int(inside[-1]))


@st.composite
def counts(draw: st.DrawFn, largest: int = 300) -> tuple[int, int, int]:
    size = draw(st.integers(1, largest))
    drawn = draw(st.integers(0, size))
    return drawn, draw(st.integers(0, drawn)), size


@given(counts(), st.sampled_from([0.001, 0.05, 0.3]), st.sampled_from(PRIORS))
@settings(max_examples=150, deadline=None)
def test_bisection_finds_what_a_search_over_every_count_finds(
    seen: tuple[int, int, int], alpha: float, prior: Prior
) -> None:
    assert interval(*seen, alpha, prior) == full_search(*seen, alpha, prior)


@given(counts(10_000_000), st.sampled_from(PRIORS))
@settings(max_examples=100, deadline=None)
def test_the_interval_stays_within_what_was_counted(seen: tuple[int, int, int], prior: Prior) -> None:
    drawn, positives, size = seen
    low, high = interval(drawn, positives, size, 0.05, prior)
    assert positives <= low <= high <= size - drawn + positives


@given(counts().filter(lambda seen: seen[1] < seen[0]), st.sampled_from(PRIORS))
@settings(max_examples=100, deadline=None)
def test_one_more_positive_never_lowers_the_interval(seen: tuple[int, int, int], prior: Prior) -> None:
    drawn, positives, size = seen
    less, more = interval(drawn, positives, size, 0.05, prior), interval(drawn, positives + 1, size, 0.05, prior)
    assert less.low <= more.low
    assert less.high <= more.high


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_the_path_narrows_and_equals_one_update_after_another(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 200))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    draws = shuffled(rng, size, data.draw(st.integers(0, size)))[: data.draw(st.integers(1, size))]
    path = interval_path(draws, size, 0.05)
    before = Interval(0, size)
    for n, k in enumerate(np.cumsum(draws), start=1):
        now = interval(n, int(k), size, 0.05)
        if max(before.low, now.low) > min(before.high, now.high):
            break  # a path of which the moments contradict each other: from here on each stands by itself
        before = Interval(max(before.low, now.low), min(before.high, now.high))
        assert (path.low[n - 1], path.high[n - 1]) == (before if before.low <= before.high else now)
    if (np.maximum.accumulate(path.low) <= np.minimum.accumulate(path.high)).all():
        assert (np.diff(path.low) >= 0).all()
        assert (np.diff(path.high) <= 0).all()


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("size", "positives"), [(60, 57), (400, 380), (400, 2), (400, 200), (1500, 1425)])
def test_the_truth_is_inside_at_all_times_as_often_as_promised(size: int, positives: int, prior: Prior) -> None:
    rng, alpha, runs = np.random.default_rng(size + positives), 0.1, 150
    lost = 0
    for _ in range(runs):
        path = interval_path(shuffled(rng, size, positives), size, alpha, prior)
        lost += bool(((path.low > positives) | (path.high < positives)).any())
    assert lost <= stats.binom.ppf(0.999, runs, alpha)


def test_a_set_answered_completely_is_known_exactly() -> None:
    draws = shuffled(np.random.default_rng(3), 300, 111)
    path = interval_path(draws, 300, 0.05)
    assert (path.low[-1], path.high[-1]) == (111, 111)


def test_draws_that_contradict_each_other_end_at_the_newest_evidence() -> None:
    draws = np.repeat([1, 0], [400, 600])
    path = interval_path(draws, 1000, 0.05)
    assert path.low[399] > 950
    assert (path.low[-1], path.high[-1]) == (400, 400)


@pytest.mark.parametrize(
    ("precision", "accepted_after"), [(1.00, (80, 80)), (0.99, (80, 140)), (0.98, (210, 340)), (0.97, (450, 750))]
)
def test_audits_end_after_as_many_draws_as_was_simulated_before(
    precision: float, accepted_after: tuple[int, int]
) -> None:
    size, rng, ends = 3000, np.random.default_rng(7), []
    for _ in range(41):
        draws = shuffled(rng, size, round(size * precision))[:2000]
        accepted = np.flatnonzero(interval_path(draws, size, 0.05).low[9::10] >= 0.95 * size)
        ends.append(10 * (accepted[0] + 1) if len(accepted) else np.inf)
    assert accepted_after[0] <= np.median(ends) <= accepted_after[1]


def test_a_prior_from_a_right_model_needs_half_the_draws_where_little_is_missed() -> None:
    def draws_to_prove(prior: Prior) -> int:
        path = interval_path(np.zeros(15_000), 100_000, 0.05, prior)
        return int(np.argmax(path.high <= 50))

    assert draws_to_prove(model_prior(1e-4)) < 0.6 * draws_to_prove(REJECT_PRIOR)


def test_a_wrong_model_costs_little_where_the_default_stands_beside_it() -> None:
    """A set of which the model believes one positive in 1,000, and every tenth is one."""
    draws = shuffled(np.random.default_rng(3), 5_000, 500)

    def draws_to_refuse(prior: Prior | Mixture) -> int:
        return int(np.argmax(interval_path(draws, 5_000, 0.05, prior).low > 50))

    alone, beside, default = (
        draws_to_refuse(prior) for prior in (model_prior(0.001), set_prior(0.001, REJECT_PRIOR), REJECT_PRIOR)
    )
    assert default <= beside <= 1.5 * default < alone


@given(st.floats(0, 1), st.floats(0.01, 5))
def test_a_model_prior_has_the_mean_and_strength_asked_for(share: float, strength: float) -> None:
    a, b = model_prior(share, strength)
    assert min(a, b) == pytest.approx(strength)
    assert a / (a + b) == pytest.approx(share, abs=2e-7)


@given(counts(80), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=60, deadline=None)
def test_one_sided_hypergeometric_ends_are_those_of_a_search_over_every_count(
    seen: tuple[int, int, int], alpha: float
) -> None:
    drawn, positives, size = seen
    possible = np.arange(positives, size - drawn + positives + 1)
    at_least = stats.hypergeom.sf(positives - 1, size, possible, drawn)
    at_most = stats.hypergeom.cdf(positives, size, possible, drawn)
    # A tail of exactly alpha may be rounded to either side of it.
    loose, tight = alpha * (1 - 1e-9), alpha * (1 + 1e-9)
    low = hypergeometric_interval(*seen, alpha, "lower").low
    high = hypergeometric_interval(*seen, alpha, "upper").high
    assert possible[at_least > loose][0] <= low <= possible[at_least > tight][0]
    assert possible[at_most > tight][-1] <= high <= possible[at_most > loose][-1]
    assert hypergeometric_interval(*seen, alpha) == (
        hypergeometric_interval(*seen, alpha / 2, "lower").low,
        hypergeometric_interval(*seen, alpha / 2, "upper").high,
    )


def test_a_sample_of_fixed_size_needs_59_right_answers_for_95_percent() -> None:
    assert clopper_pearson(58, 58, 0.05, "lower")[0] < 0.95 <= clopper_pearson(59, 59, 0.05, "lower")[0]
    assert clopper_pearson(40, 40, 0.05, "lower")[0] == pytest.approx(0.928, abs=0.0005)


@given(counts(500).filter(lambda seen: seen[0] > 0), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=60, deadline=None)
def test_clopper_pearson_is_that_of_scipy(seen: tuple[int, int, int], alpha: float) -> None:
    drawn, positives, _ = seen
    theirs = stats.binomtest(positives, drawn).proportion_ci(1 - alpha, "exact")
    assert clopper_pearson(drawn, positives, alpha) == pytest.approx((theirs.low, theirs.high))


def test_many_clopper_pearson_intervals_are_those_of_one_after_the_other() -> None:
    drawn, positives = np.indices((30, 30)).reshape(2, -1)
    drawn, positives = drawn[positives <= drawn], positives[positives <= drawn]
    low, high = clopper_pearson_intervals(drawn, positives, 0.05)
    one_by_one = [clopper_pearson(int(n), int(k), 0.05) for n, k in zip(drawn, positives, strict=True)]
    np.testing.assert_allclose(np.stack([low, high], 1), one_by_one)


def test_nothing_drawn_says_nothing() -> None:
    assert interval(0, 0, 500, 0.05) == (0, 500)
    assert hypergeometric_interval(0, 0, 500, 0.05) == (0, 500)
    assert clopper_pearson(0, 0, 0.05) == (0.0, 1.0)
    assert len(interval_path([], 500, 0.05).low) == 0


@pytest.mark.parametrize(
    ("drawn", "positives", "size", "alpha", "prior"),
    [
        (5, 6, 10, 0.05, ACCEPT_PRIOR),
        (11, 5, 10, 0.05, ACCEPT_PRIOR),
        (5, -1, 10, 0.05, ACCEPT_PRIOR),
        (5, 5, 10, 1.0, ACCEPT_PRIOR),
        (5, 5, 10, 0.05, (0.0, 1.0)),
        (5, 5, 10, 0.05, (1.0, np.inf)),
    ],
)
def test_impossible_counts_levels_and_priors_are_named(
    drawn: int, positives: int, size: int, alpha: float, prior: Prior
) -> None:
    with pytest.raises(UsageError):
        interval(drawn, positives, size, alpha, prior)


def test_an_unknown_answer_is_no_draw() -> None:
    with pytest.raises(UsageError, match="zeros and ones"):
        interval_path([1, -1, 0], 10, 0.05)
    with pytest.raises(UsageError, match="mean is in"):
        model_prior(1.2)
