from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurl.studies.chords.decoding import best_path


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3))
def test_the_path_is_the_best_of_all(seed, frames, states):
    rng = np.random.default_rng(seed)
    fits, costs = rng.normal(size=(frames, states)), rng.uniform(0, 2, frames)

    def total(path):
        changes = sum(costs[t] for t in range(1, frames) if path[t] != path[t - 1])
        return sum(fits[t, state] for t, state in enumerate(path)) - changes

    best = max(product(range(states), repeat=frames), key=total)
    assert tuple(best_path(fits, costs)) == best


def test_no_frames_no_path():
    assert len(best_path(np.zeros((0, 5)), np.zeros(0))) == 0
