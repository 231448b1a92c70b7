"""Labels with planted errors and a model's probabilities for the tests of this folder."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


class Noisy(NamedTuple):
    labels: NDArray[np.int8]  # (N, C), as given
    probabilities: NDArray[np.float64]  # (N, C), calibrated for the truth
    flipped: NDArray[np.bool_]  # (N, C)


def noisy(images: int = 500, tags: int = 6, *, share: float = 0.05, unknown: float = 0.0, seed: int = 0) -> Noisy:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.25, 0.5, (images, tags))
    truth = rng.random(p.shape) < p
    flipped = rng.random(p.shape) < share
    labels = (truth ^ flipped).astype(np.int8)
    labels[rng.random(p.shape) < unknown] = -1
    return Noisy(labels, p, flipped & (labels >= 0))


@st.composite
def worlds(draw: st.DrawFn) -> Noisy:
    images, tags = draw(st.integers(1, 25)), draw(st.integers(1, 6))
    return noisy(
        images, tags, share=0.2, unknown=draw(st.sampled_from([0.0, 0.3, 1.0])), seed=draw(st.integers(0, 10**6))
    )
