"""Train the chord recogniser's network on the expert chords of POP909-CL and write its weights.

    python benchmarks/train_chords.py POP909_FOLDER --out FILE.safetensors [--epochs N] [--seed N] [--fold K|--third K]

The folder holds NNN.cl.mid (first track the score, second track the chords as notes) and manifest.csv with the splits.
Only pieces of the split `train` are learned from; with --fold 0..4, four fifths of all (number modulo 5 differs).
With --third 0..2, two thirds of `train` (number modulo 3 differs), and the share of frames that come out right in the
other third is printed: what settings are chosen by, since `valid` is for the final figures alone.
One thread; the features are kept in memory (150 MB). Deterministic in --seed on one machine.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from aurl.music.chords import INTERVALS, Chord
from aurl.music.midi import read_midi
from aurl.music.score import Score
from aurl.studies.chords.features import CHANNELS, PLACES, pitch_features, place_features
from aurl.studies.chords.network import DILATIONS, LEARNED, believe
from aurl.studies.chords.study import likeliest_states
from aurl.studies.grid import make_grid

Array = NDArray[Any]
WIDTH = 32
CHUNK_FRAMES, CHUNKS_PER_BATCH = 192, 16
LABEL_SMOOTHING = 0.05
IGNORED = -1
NO_CHORD = 12 * len(LEARNED)
AS_TRIAD = {"maj": "maj", "7": "maj", "maj7": "maj", "min": "min", "min7": "min"}


@dataclass(frozen=True)
class Segment:
    """A labelled span in beats; `chord` is None where the notes form none of the twelve qualities."""

    start: float
    end: float
    chord: Chord | None


@dataclass(frozen=True)
class Piece:
    """A score without its chord track, and the expert's chords."""

    number: int
    split: str
    score: Score
    segments: list[Segment]


def read_pop909(folder: Path) -> list[Piece]:
    """Every piece that has a score and a chord track, in order of number."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        splits = {row["path"].removesuffix(".mid"): row["split"] for row in csv.DictReader(file)}
    pieces = []
    for path in sorted(folder.glob("*.cl.mid")):
        score = read_midi(path)
        if len(score.tracks) != 2:
            continue
        is_music = score.notes.track == 0
        number = path.name.removesuffix(".cl.mid")
        segments = read_segments(score.notes.take(~is_music), score.ticks_per_beat)
        pieces.append(Piece(int(number), splits[number], score.replace(notes=score.notes.take(is_music)), segments))
    return pieces


def read_segments(notes: Any, ticks_per_beat: int) -> list[Segment]:
    """Chords from the notes that spell them: one from each onset to its last end or the next onset, N in the gaps."""
    onsets = np.unique(notes.onset)
    segments: list[Segment] = []
    for onset, following in zip(onsets, [*onsets[1:], np.iinfo(np.int32).max], strict=True):
        rows = notes.onset == onset
        end = min(int(notes.end[rows].max()), int(following))
        last = segments[-1].end if segments else 0.0
        if onset / ticks_per_beat > last:
            segments.append(Segment(last, onset / ticks_per_beat, Chord(None)))
        pitches = notes.pitch[rows].astype(int)
        segments.append(Segment(onset / ticks_per_beat, end / ticks_per_beat, spelled(pitches)))
    return segments


def spelled(pitches: Array) -> Chord | None:
    """The chord of these pitches: a root on the bass wins over others, sevenths over triads; maj6 is read as min7."""
    sounding, bass = {int(p) % 12 for p in pitches}, int(pitches.min()) % 12
    for root in [bass, *sorted(sounding - {bass})]:
        for quality in LEARNED:
            if {(root + interval) % 12 for interval in INTERVALS[quality]} == sounding:
                return Chord(root, quality, bass)
    return None


@dataclass(frozen=True)
class Example:
    """Features and targets of one piece; pitch classes count from the grid's origin."""

    pitches: Tensor
    places: Tensor
    chords: Tensor
    basses: Tensor
    changes: Tensor


def make_example(piece: Piece) -> Example:
    """What the network sees and should say in each frame: the chord in the middle of the frame."""
    grid = make_grid(piece.score)
    chords = np.full(len(grid), IGNORED)
    basses, number = chords.copy(), chords.copy()
    middles = grid.starts + grid.frame_beats / 2
    for index, segment in enumerate(piece.segments):
        inside = (middles >= segment.start) & (middles < segment.end)
        number[inside] = index
        if segment.chord is None:
            continue
        chords[inside] = NO_CHORD
        if segment.chord.root is not None:
            root = (segment.chord.root - grid.origin) % 12
            chords[inside] = root * len(LEARNED) + LEARNED.index(segment.chord.quality)
            bass = segment.chord.root if segment.chord.bass is None else segment.chord.bass
            basses[inside] = (bass - grid.origin) % 12
    changes = np.diff(number, prepend=number[:1]) != 0
    arrays = (pitch_features(grid), place_features(grid), chords, basses, changes.astype(np.float32))
    return Example(*map(torch.from_numpy, arrays))


class Network(nn.Module):
    """Every root sees the music from itself; `aurl.studies.chords.network` computes the same in numpy."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(CHANNELS * 12 + PLACES, WIDTH)
        self.blocks = nn.ModuleList(
            nn.Conv2d(WIDTH, WIDTH, (1, 3), padding=(0, dilation), dilation=(1, dilation)) for dilation in DILATIONS
        )
        self.shared = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in DILATIONS)
        self.leave = nn.Linear(WIDTH, len(LEARNED) + 1)
        self.leave_shared = nn.Linear(WIDTH, 2)
        self.register_buffer("turns", (torch.arange(12)[:, None] + torch.arange(12)) % 12, persistent=False)

    def forward(self, pitches: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Chord logits [b, t, 12 * qualities + 1], bass logits [b, t, 12], change logits [b, t]."""
        b, t = pitches.shape[:2]
        turned = pitches[..., self.turns].permute(0, 3, 1, 2, 4).flatten(3)  # b 12 t (channels * 12)
        places = places[:, None].expand(-1, 12, -1, -1)
        h = F.relu(self.enter(torch.cat([turned, places], -1)))
        for block, shared in zip(self.blocks, self.shared, strict=True):
            image = h.reshape(b * 12, 1, t, WIDTH).permute(0, 3, 1, 2)  # channels last, which is three times as fast
            near = block(image).permute(0, 2, 3, 1).reshape(b, 12, t, WIDTH)
            h = h + F.relu(near + shared(h.mean(1))[:, None])
        each, whole = self.leave(h).float(), self.leave_shared(h.mean(1)).float()
        chords = torch.cat([each[..., :-1].permute(0, 2, 1, 3).flatten(2), whole[..., :1]], -1)
        return chords, each[..., -1].transpose(1, 2), whole[..., 1]


def fit(examples: list[Example], *, epochs: int, learning_rate: float, seed: int) -> Network:
    """AdamW with a linear warm-up and a cosine decay; the weights are averaged over the last steps."""
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    network = Network()
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging)
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.01)
    steps = epochs * (sum(len(e.chords) // CHUNK_FRAMES + 1 for e in examples) // CHUNKS_PER_BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step / steps))
    began = time.process_time()
    for epoch in range(epochs):
        total, batches = 0.0, 0
        for batch in make_batches(examples, order):
            loss = loss_of(network, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            total, batches = total + loss.item(), batches + 1
        print(f"epoch {epoch + 1} loss {total / batches:.4f} {time.process_time() - began:.0f} CPU-s", flush=True)
    return average.module.eval()


def learning_rate_factor(progress: float) -> float:
    """Up in the first tenth, then down along a cosine."""
    return progress / 0.1 if progress < 0.1 else 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - 0.1) / 0.9)) + 1e-3


def make_batches(examples: list[Example], order: np.random.Generator) -> list[list[Tensor]]:
    """Chunks of all pieces, cut at a random place and shuffled; the last chunk of a piece is padded."""
    chunks = []
    for example in examples:
        cuts = range(-int(order.integers(CHUNK_FRAMES)), len(example.chords), CHUNK_FRAMES)
        chunks += [(example, max(cut, 0), cut + CHUNK_FRAMES) for cut in cuts]
    chunks = [chunks[i] for i in order.permutation(len(chunks))]
    usable = len(chunks) // CHUNKS_PER_BATCH * CHUNKS_PER_BATCH
    return [collate(chunks[i : i + CHUNKS_PER_BATCH]) for i in range(0, usable, CHUNKS_PER_BATCH)]


def collate(chunks: list[tuple[Example, int, int]]) -> list[Tensor]:
    columns = []
    for name, padding in (("pitches", 0), ("places", 0), ("chords", IGNORED), ("basses", IGNORED), ("changes", 0)):
        parts = [getattr(example, name)[start:end] for example, start, end in chunks]
        columns.append(nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=padding))
    return columns


def loss_of(network: Network, batch: list[Tensor]) -> Tensor:
    """Cross entropy of chord, bass and change."""
    pitches, places, chords, basses, changes = batch
    with torch.autocast("cpu", torch.bfloat16):
        chord_logits, bass_logits, change_logits = network(pitches, places)
    known = (chords != IGNORED).float()
    chord_loss = F.cross_entropy(
        chord_logits.flatten(0, 1), chords.flatten(), ignore_index=IGNORED, label_smoothing=LABEL_SMOOTHING
    )
    bass_loss = F.cross_entropy(bass_logits.flatten(0, 1), basses.flatten(), ignore_index=IGNORED)
    change_loss = F.binary_cross_entropy_with_logits(change_logits, changes, known)
    return chord_loss + 0.3 * bass_loss + 0.5 * change_loss


def right_frames(examples: list[Example], weights: Mapping[str, Array]) -> dict[str, float]:
    """Percent of the frames whose chord is right: root; among major, minor and their sevenths; those as triads."""
    truth, found = [], []
    for example in examples:
        beliefs = believe(example.pitches.numpy(), example.places.numpy(), weights)
        truth.append(example.chords.numpy())
        found.append(likeliest_states(beliefs))
    true, said = np.concatenate(truth), np.concatenate(found)
    said, true = said[true != IGNORED], true[true != IGNORED]
    scored = np.append(np.tile([quality in AS_TRIAD for quality in LEARNED], 12), True)[true]
    triads = np.array([LEARNED.index(AS_TRIAD.get(quality, quality)) for quality in LEARNED])
    same_root = true // len(LEARNED) == said // len(LEARNED)
    same_triad = same_root & (triads[true % len(LEARNED)] == triads[said % len(LEARNED)])
    parts = {"root": same_root, "majmin": same_triad[scored], "sevenths": (true == said)[scored]}
    return {name: 100 * float(right.mean()) for name, right in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--fold", type=int, choices=range(5), help="leave out the pieces with this number modulo 5")
    kept.add_argument("--third", type=int, choices=range(3), help="hold out those of `train` with this number modulo 3")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pieces = read_pop909(options.folder)
    if options.fold is None:
        chosen = [piece for piece in pieces if piece.split == "train" and piece.number % 3 != options.third]
    else:
        chosen = [piece for piece in pieces if piece.number % 5 != options.fold]
    print(f"{len(chosen)} of {len(pieces)} pieces", flush=True)
    network = fit(
        [make_example(piece) for piece in chosen],
        epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed,
    )  # fmt: skip
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, options.out, {"licence": "see SOURCE.md", "trained on": f"POP909-CL, {len(chosen)} pieces"})
    if options.third is not None:
        others = [make_example(p) for p in pieces if p.split == "train" and p.number % 3 == options.third]
        print(right_frames(others, weights))


if __name__ == "__main__":
    main()
