"""Weights in few bits are close to what they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.models.quantisation import BLOCK, quantise


def restored(codes, scales, bits, columns):
    """What MatMulNBits makes of codes and scales, as its documentation says."""
    if bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(*codes.shape[:2], BLOCK)
    return ((codes.astype(np.float32) - 2 ** (bits - 1)) * scales[..., None]).reshape(len(codes), -1)[:, :columns]


matrices = st.tuples(st.integers(1, 9), st.integers(1, 80), st.floats(1e-6, 1e4), st.integers(0, 99)).map(
    lambda drawn: (np.random.default_rng(drawn[3]).standard_normal(drawn[:2]) * drawn[2]).astype(np.float32)
)


@given(matrices)
def test_in_8_bits_no_weight_is_off_by_more_than_half_a_step(matrix):
    rows, columns = matrix.shape
    codes, scales = quantise(matrix, 8)
    assert codes.shape == (rows, -(-columns // BLOCK), BLOCK)
    assert scales.dtype == np.float32
    steps = np.repeat(scales, BLOCK, axis=1)[:, :columns]
    assert (np.abs(restored(codes, scales, 8, columns) - matrix) <= 0.501 * steps).all()


@given(matrices)
def test_4_bits_are_better_than_rounding_to_the_largest(matrix):
    rows, columns = matrix.shape
    codes, scales = quantise(matrix, 4)
    assert codes.shape == (rows, -(-columns // BLOCK), BLOCK // 2)
    largest = np.zeros((rows, -(-columns // BLOCK) * BLOCK), np.float32)
    largest[:, :columns] = np.abs(matrix)
    steps = np.repeat(largest.reshape(rows, -1, BLOCK).max(axis=2) / 7, BLOCK, axis=1)[:, :columns]
    error = np.square(restored(codes, scales, 4, columns) - matrix).sum()
    assert error <= 1.001 * np.square(np.rint(matrix / steps) * steps - matrix).sum()


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_stay_zeros(bits):
    codes, scales = quantise(np.zeros((2, 40), np.float32), bits)
    assert not restored(codes, scales, bits, 40).any()
