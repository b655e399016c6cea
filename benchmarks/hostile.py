"""Generations at hostile settings: none may crash, hang, break the grammar, or write what other readers cannot read.

    python benchmarks/hostile.py [--requests 10000] [--seed 0] [--model RUN] [--json]

Without --model, small networks of random weights write with four tokenizers: the less they know of music, the
stranger their pieces. Requests draw temperature (0 to 5), top-k (0 to 10^6), the other filters, penalties, limits,
conditions, constraints of every kind that contradict each other, guidance, beams, rewriting, and a prompt: none, an
empty one, one rest, one note, 20 tracks, drums alone, a chorale. A request that means nothing must be refused with a
typed error; those are counted. Every piece is read back by symusic and mido, one in a hundred by music21.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import resource
import time
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from aurl.data.embedded import chorales_archive
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.data.tokenizers.note import NoteTokenizer
from aurl.data.tokenizers.note_grammar import NoteGrammar
from aurl.generation.generator import GeneratedPiece, GenerationConfig, generate
from aurl.generation.rewriting import Rewrite
from aurl.generation.runtimes.onnx_runtime import OnnxRuntime
from aurl.generation.runtimes.opening import open_runtime
from aurl.models.config import MusicModelConfig
from aurl.models.onnx_graph import build_graphs
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Notes, Score, Texts, Track
from aurl.utils.errors import AurlError

TOKENIZED = (
    {"name": "note"}, {"name": "note", "nudge": True, "styles": ["pop"]}, {"name": "note", "clock": "performed"},
    {"name": "event"},
)  # fmt: skip
SECONDS_ALLOWED = 60.0
"""CPU seconds of one request from which it counts as hanging."""
PROMPTS = ("none", "none", "empty", "a rest", "a note", "20 tracks", "drums", "chorale")
CONSTRAINED: tuple[dict[str, Any], ...] = (
    {"name": "scale", "key": "F# minor"}, {"name": "scale"}, {"name": "chords", "progression": "Am F | C G7"},
    {"name": "range", "low": 60, "high": 60}, {"name": "range", "low": "C2", "high": "C6", "tracks": [1]},
    {"name": "polyphony"}, {"name": "instruments", "programs": ["violin", "drums"]}, {"name": "density", "notes": 10},
    {"name": "rhythm", "pattern": "x..x..x.", "every": True}, {"name": "parallels"}, {"name": "cadence", "key": "C"},
    {"name": "tonality"}, {"name": "harmony", "progression": "F#m7b5 | N.C. C"},
    {"name": "no_repeat", "times": 1}, {"name": "reprise", "strength": 100, "lag": 1},
    {"name": "chords", "progression": "i V7", "key": "Eb minor", "bass": True},
)  # fmt: skip


def random_runtime(tokenizer: Tokenizer, seed: int) -> OnnxRuntime:
    """A small network of random weights, louder than a trained one."""
    import torch

    from aurl.models.music_model import MusicModel

    torch.manual_seed(seed)
    config = MusicModelConfig(vocabulary_sizes=tokenizer.vocabulary.sizes, width=32, layers=1, heads=2, context=96)
    model = MusicModel(config)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=2 * weights.shape[-1] ** -0.5)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    return OnnxRuntime(build_graphs(config, state, "onnx"), config)


def prompts() -> dict[str, Score | None]:
    """What pieces go on from, or are rewritten from."""
    many = np.arange(40)
    tracks = tuple(Track(n * 5 % 128, n == 9, f"track {n}") for n in range(20))
    with zipfile.ZipFile(chorales_archive()) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".mid"))
        chorale = read_midi(archive.read(name))
    rest = Texts([1919], [-1], np.array(["marker"], object), np.array(["a rest"], object))
    return {
        "none": None,
        "empty": Score(),
        "a rest": Score(texts=rest),
        "a note": Score(notes=Notes([7], [1], [0], [1], [0]), tracks=(Track(127),), ticks_per_beat=97),
        "20 tracks": Score(notes=Notes(many * 100, many + 1, many + 40, many + 1, many % 20), tracks=tracks),
        "drums": Score(
            notes=Notes(many * 60, many * 0 + 30, many % 3 + 36, many + 1, many * 0), tracks=(Track(0, True),)
        ),
        "chorale": chorale,
    }


def drawn(
    rng: np.random.Generator, seed: int, *, is_note: bool, is_metrical: bool
) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """Settings, the name of a prompt, and what is rewritten."""

    def one(*options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    sampling = {
        "temperature": one(0, 0.01, 1, 5), "top_k": one(0, 1, 1_000_000), "top_p": one(0, 0.5, 1), "min_p": one(0, 1),
        "epsilon": one(0, 0.5), "typical_p": one(1, 0.1), "repetition_penalty": one(1, 0.1, 50), "ngram": one(0, 1, 4),
        "ngram_penalty": one(2, float("inf")),
    }  # fmt: skip
    conditions = {
        "key": one(None, None, "D minor"), "metre": one(None, None, "1/16", "15/8"), "tempo": one(None, None, 10, 400),
        "density": one(None, 0.1, 90), "voices": one(None, 50), "chords": one(None, None, "N.C. | Bbm7b5/A C"),
        "instruments": one((), (), ("drums",), ("piano",) * 16), "sections": one(None, None, "AB", "A3 Z9"),
    }  # fmt: skip
    settings: dict[str, Any] = {
        "seed": seed, "sampling": sampling, "variations": one(1, 2),
        "max_tokens": int(rng.integers(1, 100)),
        **one({}, {"bars": 1}, {"bars": 6}, {"seconds": 3.0}, {"seconds": 0.1}),
    }  # fmt: skip
    prompt = one(*PROMPTS)
    if prompt != "none" and rng.random() < 0.95:
        conditions |= {"metre": None, "tempo": None, "instruments": None}
    if not is_metrical:
        conditions |= {"metre": None, "chords": None, "sections": None}
    if is_note and rng.random() < 0.4:
        settings["conditions"] = {name: value for name, value in conditions.items() if value}
    if is_metrical and rng.random() < 0.6:
        chosen = rng.choice(len(CONSTRAINED), int(rng.integers(1, 5)), replace=False)
        settings["constraints"] = [CONSTRAINED[n] for n in chosen]
    if rng.random() < 0.3:
        settings |= one({"polyphony": 1}, {"longest_note": 0.01}, {"polyphony": 2, "longest_note": 0.2})
    settings |= one({}, {}, {}, {}, {}, {"guidance": one(0.0, 3.0)}, {"beams": 3, "variations": 1}, {"best_of": 2})
    rewrite = one(None, None, None, {"bars": "1"}, {"bars": "2-3,5-"}, {"tracks": [1]}, {"add": ["bass"]},
                  {"harmonise": True}, {"lock_tracks": [2], "add": ["drums"]}, {"lock_bars": "1-2"})  # fmt: skip
    can_rewrite = is_metrical and prompt not in ("none", "empty", "a rest")
    return settings, prompt, rewrite if can_rewrite or rng.random() < 0.05 else None


def faults(piece: GeneratedPiece, tokenizer: Tokenizer, *, with_music21: bool) -> list[str]:
    """What is wrong with a piece."""
    import mido

    found = []
    metrical = isinstance(tokenizer, NoteTokenizer) and tokenizer.layout.is_metrical
    grammar = NoteGrammar(tokenizer.layout, tasks=True) if metrical else tokenizer.grammar  # type: ignore[attr-defined]
    given = piece.prompt_tokens
    illegal = grammar.first_illegal(piece.tokens)
    if illegal is not None and illegal >= given:
        found.append("ungrammatical")
    midi = midi_bytes(piece.score)
    if len(read_midi(midi).notes) != len(piece.score.notes):
        found.append("read back with other notes")
    if sum(
        m.type == "note_on" and m.velocity > 0 for t in mido.MidiFile(file=io.BytesIO(midi)).tracks for m in t
    ) != len(piece.score.notes):
        found.append("mido reads other notes")
    if with_music21:
        import music21

        music21.converter.parseData(midi, format="midi")
    return found


def run(requests: int, seed: int, model: Path | None) -> dict[str, Any]:
    """Make the requests and count what came of them."""
    if model is None:
        tokenizers = [TOKENIZERS.build(TOKENIZERS.parse(told)) for told in TOKENIZED]
        worlds = [(random_runtime(tokenizer, seed), tokenizer) for tokenizer in tokenizers]
    else:
        runtime, experiment = open_runtime(model)
        worlds = [(runtime, TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"])))]
    given, counts, refused = prompts(), collections.Counter[str](), collections.Counter[str]()
    wrong: list[str] = []
    slowest = 0.0
    for number in range(requests):
        rng = np.random.default_rng([seed, number])
        runtime, tokenizer = worlds[number % len(worlds)]
        is_note = isinstance(tokenizer, NoteTokenizer)
        is_metrical = is_note and tokenizer.layout.is_metrical  # type: ignore[attr-defined]
        settings, prompt, rewrite = drawn(rng, number, is_note=is_note, is_metrical=is_metrical)
        began = time.process_time()
        try:
            config = GenerationConfig.parse(settings)
            asked = None if rewrite is None else Rewrite.parse(rewrite)
            pieces = generate(runtime, tokenizer, config, prompt=given[prompt], rewrite=asked)
        except AurlError as error:
            refused[error.problem.split(",")[0][:60]] += 1
            continue
        except Exception as error:  # noqa: BLE001 -- what this looks for
            wrong.append(f"request {number}: {type(error).__name__}: {error}"[:200])
            continue
        took = time.process_time() - began
        slowest = max(slowest, took)
        counts["pieces"] += len(pieces)
        counts["notes"] += sum(len(piece.score.notes) for piece in pieces)
        for piece in pieces:
            found = faults(piece, tokenizer, with_music21=number % 100 == 0 and bool(find_spec("music21")))
            wrong += [f"request {number}: {fault}" for fault in found]
        if took > SECONDS_ALLOWED:
            wrong.append(f"request {number}: took {took:.0f} CPU seconds")
    return {
        "requests": requests, **counts, "refused": sum(refused.values()), "refusals": dict(refused.most_common()),
        "faults": len(wrong), "first faults": wrong[:20], "slowest request, CPU s": slowest,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": {name: version(name) for name in ("symusic", "mido", "onnxruntime") if find_spec(name)},
    }  # fmt: skip


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    result = run(options.requests, options.seed, options.model)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:26}", value)


if __name__ == "__main__":
    main()
