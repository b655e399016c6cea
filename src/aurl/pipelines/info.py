"""What a file of music, a corpus or a model holds, as nested names and values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from aurl.data.archives import too_large
from aurl.data.labels import KINDS, LABEL_SUFFIXES, Refusal, given_labels, source_key
from aurl.data.sources import LARGEST_LABEL
from aurl.data.store import Corpus
from aurl.data.tokenizers import EventTokenizer, EventTokenizerConfig
from aurl.evaluation.metrics import describe, pitch_class_seconds
from aurl.models.exported import carried_format
from aurl.models.folders import bits_per_note, find_model, has_weights, is_built_in, read_experiment, weight_count
from aurl.music.io import FORMAT_NAMES, HEAD, SUFFIXES, read_music, sniff
from aurl.music.score import Score, TextKind
from aurl.music.theory import PROGRAM_NAMES, estimate_key, key_name
from aurl.utils.errors import ConfigError


def describe_path(path: Path) -> tuple[str, dict[str, Any]]:
    """What kind of thing `path` is, and its facts; raises the typed error of what it seems to be."""
    if is_built_in(path):
        return "model", describe_model(path)
    if not path.exists():
        raise ConfigError(f"{path} does not exist", hint="give a file of music, a corpus or the folder of a model")
    if path.is_file():
        return "music", describe_music(path)
    if (path / "corpus.json").is_file():
        return "corpus", describe_corpus(Corpus.open(path))
    return "model", describe_model(path)


def describe_music(path: Path) -> dict[str, Any]:
    """What was wrong with a file, the labels in and beside it, and its score."""
    score, report = read_music(path)
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD)) or SUFFIXES[path.suffix.lower()]
    beside = {suffix: path.with_name(path.stem + suffix) for suffix in LABEL_SUFFIXES}
    sizes = {suffix: file.stat().st_size for suffix, file in beside.items() if file.is_file()}
    companions = {suffix: beside[suffix].read_bytes() for suffix, size in sizes.items() if size <= LARGEST_LABEL}
    score, refusals = given_labels(score, path.name, companions)
    refusals += [
        Refusal(suffix, too_large(sizes[suffix], LARGEST_LABEL)) for suffix in sizes.keys() - companions.keys()
    ]
    return {
        "format": FORMAT_NAMES[kind],
        "repair": report.summary(),
        "faults": [f"{fault.count} {fault.kind} ({fault.where}): {fault.action}" for fault in report.faults] or "none",
        "labels": {kind: _labels(score, kind) for kind in KINDS if source_key(kind) in score.metadata} or "none given",
        "labels_refused": [f"{refused.where}: {refused.reason}" for refused in refusals] or "none",
        **describe_score(score),
    }


def _labels(score: Score, kind: TextKind) -> str:
    texts = score.texts.of(kind).text
    return f"{len(texts)} {score.metadata[source_key(kind)]}: {', '.join(texts[:8])}{' ...' * (len(texts) > 8)}"


def describe_score(score: Score) -> dict[str, Any]:
    """Tracks, length, musical figures, and what the event tokenizer would lose of it."""
    tokenizer = EventTokenizer(EventTokenizerConfig())
    tonic, is_minor, fit = estimate_key(pitch_class_seconds(score))
    counts = [int((score.notes.track == index).sum()) for index in range(len(score.tracks))]
    names = ["drums" if track.is_drum else PROGRAM_NAMES[track.program] for track in score.tracks]
    return {
        "seconds": score.duration_seconds,
        "notes": len(score.notes),
        "ticks_per_beat": score.ticks_per_beat,
        "tracks": {
            f"{index + 1} {track.name}".strip(): f"{name}, {count:,} notes"
            for index, (track, name, count) in enumerate(zip(score.tracks, names, counts, strict=True))
        },
        "tempos_bpm": sorted({round(60e6 / tempo, 2) for tempo in score.tempos.microseconds_per_beat if tempo})[:8],
        "time_signatures": [
            f"{n}/{d}" for n, d in zip(score.time_signatures.numerator, score.time_signatures.denominator, strict=True)
        ][:8],
        "estimated_key": key_name(tonic, is_minor) if fit else "none",
        "metrics": describe(score),
        "event_tokens": len(tokenizer.encode(score)),
        "lost_in_event_tokens": tokenizer.canonical(score)[1].summary(),
    }


def describe_corpus(corpus: Corpus) -> dict[str, Any]:
    """Sizes, splits, what was left out, and how long the pieces are."""
    told = corpus.description
    shares = np.percentile(corpus.note_counts, (5, 50, 95)) if len(corpus) else (0.0, 0.0, 0.0)
    return {
        "pieces": told.pieces,
        "compositions": told.compositions,
        "notes": told.notes,
        "hours": told.seconds / 3600,
        "splits": corpus.splits,
        "formats": told.formats,
        "labels": told.labels or "none",
        "near_duplicates": told.duplicates,
        "repaired": told.repaired,
        "repairs": told.repairs or "none",
        "notes_per_piece": dict(zip(("5 %", "median", "95 %"), map(float, shares), strict=True)),
        "left_out": told.failures or "nothing",
        "such_as": [f"{failure.source} ({failure.reason})" for failure in corpus.failures[:5]],
        "not_music": told.ignored or "nothing",
        "megabytes": sum(shard.bytes for shard in told.shards) / 1e6,
        "fingerprint": told.fingerprint,
    }


def describe_model(path: Path) -> dict[str, Any]:
    """Size, shape, training and validation of the best checkpoint of a run, of a checkpoint or of a model."""
    folder = find_model(path)
    experiment = read_experiment(folder)
    score = bits_per_note(folder)
    return {
        "folder": str(folder),
        "name": experiment.get("name", ""),
        "tags": experiment.get("tags", []),
        "notes": experiment.get("notes", ""),
        **({"parameters": weight_count(folder)} if has_weights(folder) else {}),
        **({"exported_as": form} if (form := carried_format(folder)) else {}),
        "validation_bits_per_note": score if math.isfinite(score) else "not measured",
        "model": experiment["model"],
        "tokenizer": experiment["tokenizer"],
        "data": experiment.get("data", {}),
        "training": experiment.get("training", {}),
    }
