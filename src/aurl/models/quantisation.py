"""Weights in 8 or 4 bits: each row of a matrix is cut into blocks, and each block has a scale of its own.

A weight is (code - 2^(bits - 1)) * scale, as ONNX Runtime's MatMulNBits reads it. Multiplied in 8-bit integers, the
activations are rounded there by blocks of a row as well, so what stands in one row never changes the result of another.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

BLOCK = 32
"""Weights that share a scale; with 32, results are the same to the last bit in any batch (ONNX Runtime 1.32)."""

Bits = Literal[4, 8]
SHARES: dict[Bits, list[np.float32]] = {8: [np.float32(1)], 4: list(np.linspace(0.6, 1, 9, dtype=np.float32))}
"""Scales to try, as shares of the largest. On a trained model this takes a quarter off what 4 bits cost."""


def quantise(
    matrix: Float[np.ndarray, "v d"], bits: Bits
) -> tuple[UInt8[np.ndarray, "v blocks _"], Float[np.ndarray, "v blocks"]]:
    """The codes, two to a byte for 4 bits, and the scales; a last block that is not full is filled with zeros."""
    rows, columns = matrix.shape
    blocks = np.zeros((rows, -(-columns // BLOCK), BLOCK), np.float32)
    blocks.reshape(rows, -1)[:, :columns] = matrix
    scales = _scales(blocks, bits)
    codes = (_nearest(blocks, scales, bits) + (1 << (bits - 1))).astype(np.uint8)
    return (codes if bits == 8 else codes[..., ::2] | codes[..., 1::2] << 4), scales


def _scales(blocks: NDArray[np.float32], bits: Bits) -> NDArray[np.float32]:
    """One a block: its largest weight gets the largest code; of 4 bits, a smaller one if the squared error is less."""
    largest = np.abs(blocks).max(axis=2) / ((1 << (bits - 1)) - 1)
    largest[largest == 0] = 1
    candidates = np.stack([share * largest for share in SHARES[bits]])
    errors = [
        np.square(_nearest(blocks, scales, bits) * scales[..., None] - blocks).sum(axis=2) for scales in candidates
    ]
    best = np.argmin(errors, axis=0)
    return np.asarray(np.take_along_axis(candidates, best[None], axis=0)[0])


def _nearest(blocks: NDArray[np.float32], scales: NDArray[np.float32], bits: Bits) -> NDArray[np.float32]:
    top = 1 << (bits - 1)
    return np.asarray(np.clip(np.rint(blocks / scales[..., None]), -top, top - 1))
