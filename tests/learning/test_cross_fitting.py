import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.calibration import fit_calibration
from annotator.learning.cross_fitting import group_folds, out_of_fold
from annotator.learning.fit import fit_head
from annotator.learning.metrics import mean_average_precision, pooled_calibration_error

Arrays = tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int64]]


def collection(images: int = 300, tags: int = 4, seed: int = 0) -> Arrays:
    """Vectors of length one, labels that they tell of, and groups in which some images are alike."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(images, 16)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    z = 8 * X @ rng.normal(size=(16, tags)) - 1
    return X, (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(np.int8), rng.integers(0, images * 2 // 3, images)


def test_near_duplicates_share_a_fold_and_folds_are_of_about_one_size() -> None:
    groups = np.random.default_rng(1).integers(0, 600, 1000)
    folds = group_folds(groups, 5, np.random.default_rng(0))
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    assert np.bincount(folds, minlength=5).min() > 150


def test_nobody_learns_from_the_own_label_nor_from_those_of_near_duplicates() -> None:
    X, labels, groups = collection()
    before = out_of_fold(X, labels, groups, np.random.default_rng(0))
    changed = labels.copy()
    group = groups == np.bincount(groups).argmax()
    changed[group] = 1 - changed[group]
    after = out_of_fold(X, changed, groups, np.random.default_rng(0))
    np.testing.assert_array_equal(after[group], before[group])
    assert (after[~group] != before[~group]).any()


def test_each_image_gets_what_a_head_of_the_other_folds_says() -> None:
    X, labels, groups = collection(100)
    found = out_of_fold(X, labels, groups, np.random.default_rng(3), folds=3, ridge=0.5)
    folds = group_folds(groups, 3, np.random.default_rng(3))
    for fold in range(3):
        head, _ = fit_head("text_anchored", X[folds != fold], labels[folds != fold], ridge=0.5)
        np.testing.assert_allclose(found[folds == fold], head.probabilities(X[folds == fold]), atol=1e-6)


def test_it_foretells_labels_it_never_saw_and_calibration_makes_it_more_honest() -> None:
    X, labels, groups = collection(1500)
    plain = out_of_fold(X, labels, groups, np.random.default_rng(0))
    honest = out_of_fold(X, labels, groups, np.random.default_rng(0), calibrated=True)
    assert mean_average_precision(honest, labels) > 0.6
    assert pooled_calibration_error(honest, labels) < max(0.03, pooled_calibration_error(plain, labels))


def test_calibration_never_sees_the_fold_it_speaks_of() -> None:
    X, labels, groups = collection(200)
    folds = group_folds(groups, 5, np.random.default_rng(0))
    plain = out_of_fold(X, labels, groups, np.random.default_rng(0)).astype(np.float64)
    logits = np.log(plain / (1 - plain))
    found = out_of_fold(X, labels, groups, np.random.default_rng(0), calibrated=True)
    out = folds == 2
    expected = fit_calibration(logits[~out], labels[~out]).apply(logits[out])
    np.testing.assert_allclose(found[out], expected, atol=1e-4)


def test_unknown_labels_count_for_nothing_and_get_a_probability() -> None:
    X, labels, groups = collection()
    labels[::3] = -1
    found = out_of_fold(X, labels, groups, np.random.default_rng(0))
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_array_equal(found, out_of_fold(X, labels, groups, np.random.default_rng(0)))


def test_too_few_folds_or_groups_are_named() -> None:
    X, labels, _ = collection(10)
    with pytest.raises(UsageError, match="at least 2"):
        out_of_fold(X, labels, np.zeros(10, np.int64), np.random.default_rng(0))
    with pytest.raises(UsageError, match="1 folds"):
        out_of_fold(X, labels, np.arange(10), np.random.default_rng(0), folds=1)
