"""How often the recognisers of chords, keys and melody are right, and how fast, beside chorder and music21.

    python benchmarks/studies.py DATA [--pop909 pop909] [--others openewld wir_lieder_extra bpsfh] [--limit N]
                                 [--folds FOLDER] [--peers N] [--json]

DATA is a folder of corpora. Without it, the built-in chorales, which have no labels: speed only.

Chords: the truth is POP909-CL's expert chord track, which is taken out of the input (chord_midi.txt is algorithmic and
never looked at). Pitch classes and lowest note of each block give root, quality and bass; blocks that form none of
eleven qualities are not scored. mir_eval's weighted chord symbol recall, summed over the pieces of the split `valid`,
none of which was learned from. --folds: weights fold0..4.safetensors of `train_chords.py --fold K`, each scored on the
pieces it did not see. Others are corpora that no recogniser has seen: lead-sheet symbols of OpenEWLD over melody alone,
Roman numerals by musicologists over Lieder and Beethoven.

Keys: the truth is tonic and mode of the key signature of POP909-CL's pieces with just one, and of other corpora the
first key (`given_labels`) of pieces with one key; the answer is the key that holds longest. The key classifier is
scored on `valid`, and refitted on four fifths for each fifth of all.

Melody: the truth is the track MELODY of POP909's own MIDI files, names taken away. Times are process time, one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file
from train_chords import Piece, Segment, read_pop909
from train_keys import fit as fit_keys
from train_keys import make_examples, true_key

from aurl.data.embedded import chorales_archive
from aurl.data.labels import LABEL_SUFFIXES, given_labels
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.music.chords import Chord
from aurl.music.midi import read_midi, write_midi
from aurl.music.score import Score
from aurl.music.theory import parse_key
from aurl.studies import STUDIES, Annotation
from aurl.studies import keys as key_study
from aurl.studies.chords import study as chord_study
from aurl.studies.melody import find_melody
from aurl.utils.errors import MidiError

CHORD_METRICS = ("root", "majmin", "triads", "sevenths", "majmin_inv")
Labels = tuple[np.ndarray, list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--pop909", default="pop909")
    parser.add_argument("--others", nargs="*", default=["openewld", "wir_lieder_extra", "bpsfh"])
    parser.add_argument("--limit", type=int, default=60, help="pieces of each other corpus")
    parser.add_argument("--folds", type=Path, help="folder of fold0.safetensors ... fold4.safetensors")
    parser.add_argument("--peers", type=int, default=5, help="pieces of `valid` that the peers hear")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="mir_eval")
    rows = measure(options) if options.data else [("speed, chorales", speed(built_in()))]
    if options.json:
        print(json.dumps(dict(rows), indent=2))
        return
    for title, figures in rows:
        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in figures.items():
            table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else str(value))
        Console().print(table)


def measure(options: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    pieces = read_pop909(options.data / options.pop909)
    valid = [piece for piece in pieces if piece.split == "valid"]
    rows = [
        (f"{name}, POP909-CL valid, {len(valid)} pieces", chord_figures(valid, analyse(name)))
        for name in ("chords", "chord_templates")
    ]
    sample = valid[:: max(1, len(valid) // max(options.peers, 1))][: options.peers]
    for name, recognise in peers().items():
        rows.append((f"{name}, {len(sample)} of them", chord_figures(sample, recognise)))
        rows.append((f"aurl chords on those {len(sample)}", chord_figures(sample, analyse("chords"))))
    if options.folds:
        rows.append(("chords, POP909-CL, folds", folds(pieces, options.folds)))
    rows.append(("keys, POP909-CL pieces with one key signature", key_figures(pieces)))
    for name in options.others:
        rows += other_corpus(name, options.data / name, options.limit)
    rows.append(("melody, POP909, 40 other pieces", melody_figures(options.data / options.pop909)))
    rows.append((f"speed, {options.pop909}", speed([piece.score for piece in valid])))
    return rows


def analyse(name: str) -> Callable[[Score], Labels]:
    study = STUDIES.build(STUDIES.parse(name))
    return lambda score: as_labels(study.analyse(score))


def as_labels(annotation: Annotation) -> Labels:
    intervals = np.column_stack([annotation.beats, annotation.beats + annotation.durations])
    return intervals, [Chord.parse(label).harte for label in annotation.labels]


def chord_figures(pieces: Iterable[Piece], recognise: Callable[[Score], Labels]) -> dict[str, float]:
    """Weighted chord symbol recall in percent, and pieces a second of process time."""
    right, scored = np.zeros(len(CHORD_METRICS)), np.zeros(len(CHORD_METRICS))
    seconds, count = 0.0, 0
    for piece in pieces:
        began = time.process_time()
        found = recognise(piece.score)
        seconds, count = seconds + time.process_time() - began, count + 1
        each = compare(piece.segments, found)
        right, scored = right + each[0], scored + each[1]
    shares = 100 * right / np.maximum(scored, 1e-9)
    return dict(zip(CHORD_METRICS, shares.tolist(), strict=True)) | {"pieces/s": count / seconds}


def compare(truth: list[Segment], found: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Beats right and beats scored, by metric."""
    import mir_eval

    intervals = np.array([(segment.start, segment.end) for segment in truth])
    labels = ["X" if segment.chord is None else segment.chord.harte for segment in truth]
    theirs = mir_eval.util.adjust_intervals(*found, intervals.min(), intervals.max(), "N", "N")
    merged, ours, others = mir_eval.util.merge_labeled_intervals(intervals, labels, *theirs)
    beats = np.diff(merged)[:, 0]
    pairs, which = np.unique(np.array([ours, others]), axis=1, return_inverse=True)
    weights = np.bincount(which.ravel(), beats)
    scores = np.array([getattr(mir_eval.chord, metric)(*pairs.tolist()) for metric in CHORD_METRICS])
    return np.where(scores >= 0, scores, 0) @ weights, (scores >= 0) @ weights


def folds(pieces: list[Piece], folder: Path) -> dict[str, float]:
    """The metrics of each fold that there are weights for, on the pieces it did not see."""
    shipped, figures = chord_study.shipped_weights, {}
    for fold in range(5):
        path = folder / f"fold{fold}.safetensors"
        if path.is_file():
            weights = load_file(path)
            chord_study.shipped_weights = lambda weights=weights: weights
            found = chord_figures([piece for piece in pieces if piece.number % 5 == fold], analyse("chords"))
            figures |= {f"fold {fold} {metric}": found[metric] for metric in CHORD_METRICS}
    chord_study.shipped_weights = shipped
    for metric in CHORD_METRICS:
        values = [value for name, value in figures.items() if name.endswith(f" {metric}")]
        figures[f"mean {metric} of {len(values)}"] = float(np.mean(values))
    return figures


def key_figures(pieces: list[Piece]) -> dict[str, float]:
    """Percent of the pieces whose longest-held key is the truth, and MIREX's weighted score."""
    single = [piece for piece in pieces if true_key(piece) is not None]
    valid = [(piece.score, true_key(piece)) for piece in single if piece.split == "valid"]
    figures = {f"valid ({len(valid)}) {name}": value for name, value in key_scores(valid).items()}
    examples = [(piece.number, make_examples(piece)) for piece in pieces]
    shipped, parts = key_study.shipped_weights, []
    for fold in range(5):
        weights = fit_keys(each for number, some in examples if number % 5 != fold for each in some)
        key_study.shipped_weights = lambda weights=weights: weights
        parts.append(key_scores([(p.score, true_key(p)) for p in single if p.number % 5 == fold]))
    key_study.shipped_weights = shipped
    return figures | {f"5 folds ({len(single)}) {name}": float(np.mean([p[name] for p in parts])) for name in parts[0]}


def key_scores(pieces: list[tuple[Score, tuple[int, bool]]]) -> dict[str, float]:
    import mir_eval

    study = STUDIES.build(STUDIES.parse("keys"))
    exact, weighted = [], []
    began = time.process_time()
    found = [longest_key(study.analyse(score)) for score, _ in pieces]
    seconds = time.process_time() - began
    for (_, truth), answer in zip(pieces, found, strict=True):
        exact.append(answer == truth)
        weighted.append(mir_eval.key.weighted_score(spelled(truth), spelled(answer)))
    return {"exact": 100 * float(np.mean(exact)), "MIREX": 100 * float(np.mean(weighted)), "/s": len(pieces) / seconds}


def longest_key(annotation: Annotation) -> tuple[int, bool]:
    held: dict[str, float] = {}
    for label, beats in zip(annotation.labels, annotation.durations, strict=True):
        held[label] = held.get(label, 0.0) + float(beats)
    return parse_key(max(held, key=held.__getitem__))


def spelled(key: tuple[int, bool]) -> str:
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    return f"{names[key[0]]} {'minor' if key[1] else 'major'}"


def other_corpus(name: str, folder: Path, limit: int) -> list[tuple[str, dict[str, Any]]]:
    """Chords and keys against the labels beside the files; pieces are taken evenly over the folder."""
    paths = sorted(folder.glob("*.mid"))
    pieces, keyed = [], []
    for path in paths[:: max(1, len(paths) // limit)][:limit]:
        beside = {s: path.with_suffix(s).read_bytes() for s in LABEL_SUFFIXES if path.with_suffix(s).is_file()}
        score = given_labels(read_midi(path), path.name, beside)[0]
        segments, keys = held(score, "chord"), score.texts.of("key").text
        if segments:
            pieces.append(Piece(0, "", score, segments))
        if len(keys) and len(set(keys)) == 1:
            keyed.append((score, parse_key(keys[0])))
    rows = [
        (f"{study}, {name}, {len(pieces)} pieces", chord_figures(pieces, analyse(study)))
        for study in ("chords", "chord_templates")
        if pieces
    ]
    return rows + ([(f"keys, {name}, {len(keyed)} pieces of one key", key_scores(keyed))] if keyed else [])


def held(score: Score, kind: Any) -> list[Segment]:
    texts = score.texts.of(kind)
    beats = [*score.tempo_map.ticks_to_beats(texts.time).tolist(), score.end_ticks / score.ticks_per_beat]
    chords = map(Chord.parse, texts.text)
    spans = zip(beats[:-1], beats[1:], chords, strict=True)
    return [Segment(start, end, chord) for start, end, chord in spans if end > start]


def melody_figures(folder: Path) -> dict[str, float]:
    """Precision and recall of the notes found, and how often the track is right, names unknown."""
    found, truth, both, tracks = 0, 0, 0, []
    paths = sorted(folder.glob("???.mid"))[10::20][:40]  # not those that the weights were chosen on
    for path in paths:
        score = read_midi(path)
        names = [track.name for track in score.tracks]
        unnamed = score.replace(tracks=tuple(type(track)(track.program, track.is_drum) for track in score.tracks))
        chosen, melody = find_melody(unnamed), score.notes.track == names.index("MELODY")
        found, truth, both = found + chosen.sum(), truth + melody.sum(), both + (chosen & melody).sum()
        tracks.append(bool(len(chosen.nonzero()[0])) and names[score.notes.track[chosen][0]] == "MELODY")
    return {"precision": 100 * both / found, "recall": 100 * both / truth, "right track": 100 * float(np.mean(tracks))}


def speed(scores: list[Score]) -> dict[str, float]:
    """Milliseconds of process time for one piece of average length."""
    figures = {"notes a piece": float(np.mean([len(score.notes) for score in scores]))}
    for name in STUDIES.names():
        study = STUDIES.build(STUDIES.parse(name))
        study.analyse(scores[0])
        began = time.process_time()
        for score in scores:
            study.analyse(score)
        figures[f"{name}, ms a piece"] = 1000 * (time.process_time() - began) / len(scores)
    return figures


def built_in() -> list[Score]:
    scores = []
    for entry in read_entries(list_inputs([chorales_archive()], Found()).files, Found()):
        try:
            scores.append(read_midi(entry.content))
        except MidiError:
            continue
    return scores


def peers() -> dict[str, Callable[[Score], Labels]]:
    """Other recognisers that are installed, on the same scores."""
    found: dict[str, Callable[[Score], Labels]] = {}
    for package, recognise in (("chorder", by_chorder), ("music21", by_music21)):
        try:
            found[f"{package} {version(package)}"] = recognise
        except PackageNotFoundError:
            continue
    return found


def by_chorder(score: Score) -> Labels:
    """A chord for each beat, by `Dechorder.dechord`."""
    from chorder import Dechorder
    from miditoolkit import MidiFile

    with tempfile.NamedTemporaryFile(suffix=".mid") as file:
        write_midi(score, file.name)
        chords = Dechorder.dechord(MidiFile(file.name))
    names = {"M": "maj", "m": "min", "o": "dim", "+": "aug", "M7": "maj7", "m7": "min7", "/o7": "hdim7", "o7": "dim7"}
    labels = []
    for chord in chords:
        quality = names.get(chord.quality, chord.quality)
        labels.append("N" if chord.root_pc is None else Chord(chord.root_pc, quality, chord.bass_pc).harte)
    return np.column_stack([np.arange(len(labels)), np.arange(1, len(labels) + 1)]).astype(float), labels


def by_music21(score: Score) -> Labels:
    """A chord for each beat: `chordify`, then the root, third, fifth and seventh of the longest chord of the beat."""
    import music21

    stream = music21.stream.Part()
    notes = score.notes.take(score.is_pitched)
    onsets, lengths = notes.onset / score.ticks_per_beat, notes.duration / score.ticks_per_beat
    for onset, length, pitch in zip(onsets.tolist(), lengths.tolist(), notes.pitch.tolist(), strict=True):
        stream.insert(onset, music21.note.Note(pitch, quarterLength=length))
    beats: dict[int, tuple[float, Any]] = {}
    for chord in stream.chordify().recurse().getElementsByClass(music21.chord.Chord):
        beat = int(chord.getOffsetInHierarchy(stream) if chord.activeSite is None else chord.offset)
        if float(chord.quarterLength) > beats.get(beat, (-1.0, None))[0]:
            beats[beat] = (float(chord.quarterLength), chord)
    last = max(beats, default=0) + 1
    labels = [music21_label(beats[beat][1]) if beat in beats else "N" for beat in range(last)]
    return np.column_stack([np.arange(last), np.arange(1, last + 1)]).astype(float), labels


def music21_label(chord: Any) -> str:
    root = chord.root().pitchClass
    above = {(pitch - root) % 12 for pitch in chord.pitchClasses}
    third = "min" if 3 in above and 4 not in above else "maj"
    if third == "min" and 6 in above and 7 not in above:
        quality = "hdim7" if 10 in above else "dim7" if 9 in above else "dim"
    elif 10 in above:
        quality = "min7" if third == "min" else "7"
    else:
        quality = "maj7" if 11 in above and third == "maj" else third
    return Chord(root, quality, chord.bass().pitchClass).harte


if __name__ == "__main__":
    main()
