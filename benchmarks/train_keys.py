"""Fit the key recogniser's linear classifier on the key signatures of POP909-CL and write its weights.

    python benchmarks/train_keys.py POP909_FOLDER --out src/aurl/assets/studies/keys.safetensors

The truth is tonic and mode of the key signatures of NNN.cl.mid. Learned from: the passage of each signature, each half
of a piece that has just one, and TEXTBOOK, for what is too plain to occur in songs. Only pieces of the split `train`.
Half a minute. `fit` is also what `benchmarks/studies.py` uses for its folds. Penalty and weights were chosen by five
folds of the train split.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch.nn import functional as F
from train_chords import Piece, read_pop909

from aurl.music.chords import Chord
from aurl.music.score import Notes, Score, Track
from aurl.music.theory import parse_key
from aurl.studies.grid import make_grid
from aurl.studies.key_features import CHANNELS, EDGES, WINDOW, passage_features, window_features

Array = NDArray[Any]
PENALTY = 1e-4
HALVES = 0.3
"""Weight of half a piece in the loss."""
SHORTEST = 16
"""Windows of the shortest passage that is learned from."""
ITERATIONS = 60
TEXTBOOK = {
    "C major": ("C", "C F G C", "C G C", "C F C", "C Am F G C", "C F G7 C", "Dm G7 C"),
    "C minor": ("Cm", "Cm Fm G Cm", "Cm G Cm", "Cm Fm Cm", "Cm Ab Fm G Cm", "Cm Fm G7 Cm", "Dm7b5 G7 Cm"),
}
"""Progressions that have one key."""
SCALES = {
    "C major": ((0, 2, 4, 5, 7, 9, 11), (0, 2, 4, 7, 9)),
    "C minor": ((0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 8, 11)),
}


class Example(NamedTuple):
    """A passage as each tonic sees it [12, features], the number of its key from the grid's origin, its weight."""

    features: Array
    key: int
    weight: float


def signature_keys(piece: Piece) -> list[tuple[int, bool]]:
    """Tonic and whether minor of each key signature."""
    signatures = piece.score.key_signatures
    signs = zip(signatures.sharps.tolist(), map(bool, signatures.is_minor), strict=True)
    return [((7 * sharps + 9 * is_minor) % 12, is_minor) for sharps, is_minor in signs]


def true_key(piece: Piece) -> tuple[int, bool] | None:
    """The key of a piece with exactly one key signature."""
    keys = signature_keys(piece)
    return keys[0] if len(keys) == 1 else None


def make_examples(piece: Piece) -> list[Example]:
    """The passages of a piece to learn from."""
    grid, keys = make_grid(piece.score), signature_keys(piece)
    windows = window_features(grid)
    numbers = [(tonic - grid.origin) % 12 * 2 + is_minor for tonic, is_minor in keys]
    if len(keys) == 1:
        half = len(windows) // 2
        passages = [(windows, 1.0), (windows[:half], HALVES), (windows[half:], HALVES)]
        return [Example(turned_features(passage), numbers[0], weight) for passage, weight in passages]
    beats = piece.score.tempo_map.ticks_to_beats(piece.score.key_signatures.time)
    cuts = np.rint(beats / (WINDOW * grid.frame_beats)).astype(int)
    passages = zip(np.split(windows, cuts)[1:], numbers, strict=True)
    return [Example(turned_features(passage), key, 1.0) for passage, key in passages if len(passage) >= SHORTEST]


def textbook() -> list[Example]:
    """TEXTBOOK in chords of two beats, with bass and without, and each key's SCALES note by note."""
    examples = []
    for name, progressions in TEXTBOOK.items():
        pieces = [[[72 + tone] for tone in (*scale, 12, *scale[::-1])] for scale in SCALES[name]]
        for progression, bass in product(progressions, ([], [36])):
            chords = [Chord.parse(symbol) for symbol in progression.split() * 4]
            pieces.append(
                [
                    [60 + tone for tone in chord.pitch_classes] + [low + (chord.root or 0) for low in bass]
                    for chord in chords
                ]
            )
        examples += [textbook_example(pitches, parse_key(name)) for pitches in pieces]
    return examples


def textbook_example(pitches: list[list[int]], key: tuple[int, bool]) -> Example:
    """Pitches that sound together for two beats, one group after the other."""
    onset = np.repeat(np.arange(len(pitches)) * 2, [len(each) for each in pitches])
    pitch, count = np.concatenate(pitches), len(onset)
    notes = Notes(onset, np.full(count, 2), pitch, np.full(count, 80), np.zeros(count))
    grid = make_grid(Score(1, notes, (Track(),)))
    return Example(turned_features(window_features(grid)), (key[0] - grid.origin) % 12 * 2 + key[1], 1.0)


def turned_features(windows: Array) -> Array:
    """float32[12, features]: the features of a passage, counted from each tonic."""
    turns = (np.arange(12)[:, None] + np.arange(12)) % 12
    return passage_features(windows)[:, turns].swapaxes(0, 1).reshape(12, -1).astype(np.float32)


def fit(examples: Iterable[Example]) -> dict[str, Array]:
    """Weights of the softmax regression over 24 keys, shared by the tonics, with a small L2 penalty."""
    features, keys, weights = (
        torch.from_numpy(np.array(column)) for column in zip(*examples, *textbook(), strict=True)
    )
    shares = (weights / weights.sum()).float()
    layer = torch.nn.Linear((CHANNELS + EDGES) * 12, 2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(features).flatten(1), keys, reduction="none") @ shares
        loss = loss + PENALTY * layer.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return {name: value.detach().numpy() for name, value in layer.named_parameters()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pieces = [piece for piece in read_pop909(options.folder) if piece.split == "train"]
    save_file(fit(example for piece in pieces for example in make_examples(piece)), options.out)


if __name__ == "__main__":
    main()
