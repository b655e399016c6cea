"""Fit the key recogniser's linear classifier on POP909-CL's single-key songs and write its weights.

    python benchmarks/train_keys.py POP909_FOLDER --out src/aurl/assets/studies/keys.safetensors

The truth is the key signature (tonic and mode) of NNN.cl.mid where it has exactly one; only pieces of the split `train`
are learned from. Half a minute. `fit` is also what `benchmarks/studies.py` uses for its folds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch.nn import functional as F
from train_chords import Piece, read_pop909

from aurl.studies.grid import make_grid
from aurl.studies.key_features import CHANNELS, EDGES, passage_features, window_features

Array = NDArray[Any]
PENALTY = 1e-3
STEPS = 300


def true_key(piece: Piece) -> tuple[int, bool] | None:
    """Tonic and whether minor of a piece with exactly one key signature."""
    signatures = piece.score.key_signatures
    if len(signatures) != 1:
        return None
    is_minor = bool(signatures.is_minor[0])
    return (7 * int(signatures.sharps[0]) + 9 * is_minor) % 12, is_minor


def make_example(piece: Piece) -> tuple[Array, int]:
    """Features of a piece as each tonic sees it [12, features], and the number of its true key."""
    key, grid = true_key(piece), make_grid(piece.score)
    assert key is not None, f"piece {piece.number} has no single key"
    turns = (np.arange(12)[:, None] + np.arange(12)) % 12
    features = passage_features(window_features(grid))[:, turns].swapaxes(0, 1).reshape(12, -1)
    return features.astype(np.float32), (key[0] - grid.origin) % 12 * 2 + key[1]


def fit(examples: list[tuple[Array, int]]) -> dict[str, Array]:
    """Weights of the softmax regression over 24 keys, shared by the tonics, with a small L2 penalty."""
    features, answers = zip(*examples, strict=True)
    inputs, targets = torch.tensor(np.array(features)), torch.tensor(answers)
    layer = torch.nn.Linear((CHANNELS + EDGES) * 12, 2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(STEPS):
        loss = F.cross_entropy(layer(inputs).flatten(1), targets) + PENALTY * layer.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: value.detach().numpy() for name, value in layer.named_parameters()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pieces = [piece for piece in read_pop909(options.folder) if piece.split == "train" and true_key(piece)]
    save_file(fit([make_example(piece) for piece in pieces]), options.out)


if __name__ == "__main__":
    main()
