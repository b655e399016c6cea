"""What `aurl.load` gives: every task by its name, pieces that save, play and show themselves."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aurl
from aurl.data.tokenizers import TOKENIZERS, NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.note_vocabulary import WHAT
from aurl.generation.constraints import CONSTRAINTS
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Notes, Score, Track
from aurl.music.theory import PROGRAM_NAMES
from aurl.pipelines import model as models
from aurl.pipelines.model import Model, Piece
from aurl.utils.errors import AurlError, CheckpointError

NAMES = NoteTokenizer().vocabulary.fields[2].tokens


class Even:
    """A runtime that finds all values equally likely, but for leaving a bar sooner."""

    context = 4096

    def __init__(self) -> None:
        self.sizes, self._lengths = NoteTokenizer().vocabulary.sizes, np.zeros(0, np.int64)

    @property
    def lengths(self) -> Any:
        return self._lengths

    def reset(self, batch: int) -> None:
        self._lengths = np.zeros(batch, np.int64)

    def feed(self, tokens: Any, counts: Any = None) -> None:
        self._lengths = self._lengths + (tokens.shape[1] if counts is None else counts)

    def rewind(self, lengths: Any) -> None:
        self._lengths = np.minimum(self._lengths, lengths)

    def select(self, pieces: Any) -> None:
        self._lengths = self._lengths[pieces]

    def logits(self, field: int, chosen: Any) -> Any:
        logits = np.zeros((len(self._lengths), self.sizes[field]), np.float32)
        if field == 0:
            logits[:, 0] = 4.0
        return logits


@pytest.fixture
def model() -> Model:
    tasks = {"infill": 0.2, "tracks": 0.2, "free": 0.2}
    references = {"any": {"note_density": [1.0, 2.0, 3.0]}, "pop": {"note_density": [4.0, 5.0, 6.0]}}
    return Model(
        Even(), {"name": "even", "tokenizer": {"name": "note"}, "data": {"tasks": tasks}, "references": references}
    )


@pytest.fixture
def song() -> Score:
    """Two tracks, eight bars of half notes."""
    onset = np.repeat(np.arange(16) * 960, 2)
    same = np.ones(32, np.int64)
    notes = Notes(onset, 900 * same, 60 + np.arange(32) % 7, 64 * same, np.arange(32) % 2)
    return Score(notes=notes, tracks=(Track(40, name="Melody"), Track(42)))


def locked(before: Score, after: Score, bars: tuple[int, int], tracks: list[int]) -> bool:
    def rest(score: Score) -> Notes:
        notes, (first, stop) = score.notes, (1920 * bars[0], 1920 * bars[1])
        inside = (notes.onset >= first) & (notes.onset < stop) & np.isin(notes.track, tracks)
        return notes.take(~inside)

    return rest(before) == rest(after)


def test_a_piece_is_what_was_asked_for(model: Model) -> None:
    piece = model.generate(bars=3, key="D minor", instruments=["violin", "drums"], seed=4)
    told = [NAMES[value] for value in piece.tokens[:, 2]]
    assert told.count("bar") == 4  # the last closes the third
    assert "key:D minor" in told
    assert [name for name in told if name.startswith("program")] == ["program:Violin", "program:Drums"]
    assert piece.seed == 4


def test_the_tasks_leave_the_rest_as_it_was(model: Model, song: Score) -> None:
    assert locked(song, model.infill(song, "3-4").score, (2, 4), [0, 1])
    assert locked(song, model.replace(song, [2]).score, (0, 8), [1])
    accompanied = model.accompany(song, ["piano"]).score
    assert locked(song, accompanied, (0, 8), [2])
    assert [track.program for track in accompanied.tracks] == [40, 42, 0]
    assert model.harmonise(song).score.notes == song.notes


def test_music_may_be_a_file_and_is_continued(model: Model, song: Score, tmp_path: Path) -> None:
    (tmp_path / "song.mid").write_bytes(midi_bytes(song))
    piece = model.continue_(str(tmp_path / "song.mid"), bars=10)
    assert NoteTokenizer().canonical(song)[0].notes.onset.tolist() == piece.score.notes.onset[:32].tolist()


def test_the_best_of_several_is_the_one_most_like_the_music_learned(model: Model) -> None:
    best = model.generate(bars=4, best_of=6, seed=0)
    every = [model.generate(bars=4, seed=seed) for seed in range(6)]
    distance = [
        abs(len(p.score.notes) / max(p.score.duration_seconds, 1e-9) - 2) if len(p.score.notes) else 99 for p in every
    ]
    assert best.seed == int(np.argmin(distance))


def test_a_piece_is_saved_by_suffix_with_what_made_it(model: Model, tmp_path: Path) -> None:
    piece = model.generate(bars=2, temperature=0.5, seed=1)
    midi, page = piece.save(tmp_path / "a.mid", tmp_path / "a.html")
    assert read_midi(midi).notes == piece.score.notes
    assert b"model even" in midi.read_bytes()
    assert b'"temperature": 0.5' in midi.read_bytes()
    assert page.read_text().startswith("<!doctype html>")
    with pytest.raises(AurlError, match="format"):
        piece.save(tmp_path / "a.doc")


def test_a_notebook_shows_a_roll_that_plays(model: Model) -> None:
    shown = model.generate(bars=1)._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown  # it is quoted


def test_a_piece_is_played_by_the_first_player_there_is(song: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    generated = models.GeneratedPiece(song, np.zeros((1, 5), np.int64), 1, 0, "end", 0, {}, 0.0)
    played: list[list[str]] = []
    monkeypatch.setattr(models.shutil, "which", lambda name: name if name == "aplay" else None)
    monkeypatch.setattr(models.subprocess, "run", lambda command, check: played.append(command))
    Piece(generated).play()
    assert played[0][:2] == ["aplay", "-q"]
    monkeypatch.setattr(models.shutil, "which", lambda name: None)
    with pytest.raises(AurlError, match="no program"):
        Piece(generated).play()


def test_load_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no model"):
        aurl.load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"bars": 9}, "keeps its length"),
        ({"transforms": ["ritardando"]}, "what is locked"),
        ({"chords": "C"}, "own chords"),
        ({"tempo": 90}, "own tempo"),
    ],
)
def test_a_rewritten_piece_keeps_its_length_and_what_is_written_down_of_it(
    model: Model, song: Score, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(AurlError, match=told):
        model.replace(song, [2], **settings)


def test_a_model_draws_otherwise_where_it_rewrites_if_it_says_so(model: Model, song: Score) -> None:
    model.experiment["generation"] = {"sampling": {"temperature": 1.2}, "rewriting": {"temperature": 0.0}}
    once, again = (model.infill(song, "3", seed=seed).score for seed in (1, 2))
    assert once.notes == again.notes  # the likeliest has no seed
    assert model.infill(song, "3", seed=1, temperature=1.0).score.notes != once.notes
    assert model.request({}).sampling.temperature == 1.2


def test_transforms_are_done_to_what_is_written_and_to_nothing_that_was_there(model: Model, song: Score) -> None:
    plain, slowed = (model.generate(bars=4, seed=1, transforms=steps) for steps in ([], ["ritardando:bars=2"]))
    assert slowed.score.replace(tempos=plain.score.tempos) == plain.score
    assert slowed.score.duration_seconds > plain.score.duration_seconds
    model.experiment["generation"] = {"transforms": ["ritardando"]}
    assert model.generate(bars=4, seed=1).score.tempos == slowed.score.tempos
    assert model.infill(song, "3").score.tempos == song.tempos


def test_a_density_that_is_told_is_leaned_to_unless_another_is_asked_for(model: Model) -> None:
    def notes_a_quarter(**told: Any) -> float:
        score = model.generate(bars=24, metre="3/4", seed=2, **told).score
        return len(score.notes) / (score.end_ticks / score.ticks_per_beat)

    few, many = notes_a_quarter(density=0.3), notes_a_quarter(density=4.0)
    assert few == pytest.approx(0.3, rel=0.4)
    assert many > 4 * few
    assert notes_a_quarter(density=4.0, constraints=[{"name": "density", "notes": 0.3}]) < 1.5 * few


def test_what_is_told_is_leaned_to(model: Model) -> None:
    def kept(wish: dict[str, Any], **told: Any) -> float:
        constraint = CONSTRAINTS.build(CONSTRAINTS.parse(wish), NoteTokenizer().layout)
        asked = {"bars": 12, "instruments": ["piano"], "density": 2.0, **told}
        return float(np.mean([constraint.score(model.generate(seed=seed, **asked).score) for seed in range(4)]))

    for told, wish in (
        ({"key": "Bb minor"}, {"name": "tonality", "key": "Bb minor"}),
        ({"chords": "Cm Ab7"}, {"name": "harmony", "progression": "Cm Ab7"}),
        ({"chords": "i VI", "key": "C minor"}, {"name": "harmony", "progression": "Cm Ab"}),
        ({"voices": 3}, {"name": "voices", "at_once": 3}),
    ):
        assert kept(wish, **told) > kept(wish) + 0.08


def test_a_style_brings_its_instruments_unless_others_are_told(song: Score) -> None:
    runtime, settings = Even(), {"name": "note", "styles": ["duo", "other"]}
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(settings))
    runtime.sizes = tokenizer.vocabulary.sizes
    duos = [[0.7, ["Violin", "Cello"]], [0.1, ["Flute", "Drums"]]]
    model = Model(runtime, {"name": "even", "tokenizer": settings, "ensembles": {"duo": duos}})

    def declared(piece: Piece) -> tuple[str, ...]:
        names = [tokenizer.vocabulary.fields[WHAT].tokens[value] for value in piece.tokens[:, WHAT]]
        return tuple(name.removeprefix("program:") for name in names if name.startswith("program:"))

    pieces = model.write({"style": "Duo", "bars": 2, "variations": 40})
    drawn = Counter(map(declared, pieces))
    assert set(drawn) == {("Violin", "Cello"), ("Flute", "Drums")}
    assert drawn["Violin", "Cello"] > 25
    assert np.array_equal(model.generate(style="duo", bars=2, seed=7).tokens, pieces[7].tokens)
    assert declared(model.generate(style="duo", bars=2, instruments=["Oboe"])) == ("Oboe",)
    held = model.generate(style="duo", bars=2, constraints=[{"name": "instruments", "programs": ["Banjo"]}])
    assert declared(held) == ("Banjo",)
    assert len({declared(model.generate(style="other", bars=2, seed=seed)) for seed in range(4)}) > 2
    assert declared(model.continue_(song, style="duo", bars=10)) == tuple(
        PROGRAM_NAMES[track.program] for track in song.tracks
    )


def test_music_without_bars_is_told_and_no_more() -> None:
    tasks = {"infill": 0.0, "tracks": 0.0, "free": 0.2}
    runtime = Even()
    performed = NoteTokenizer(NoteTokenizerConfig(clock="performed"))
    runtime.sizes = performed.vocabulary.sizes
    tokenizer = {"name": "note", "clock": "performed"}
    model = Model(runtime, {"name": "even", "tokenizer": tokenizer, "data": {"tasks": tasks}})
    names = performed.vocabulary.fields[2].tokens
    told = {names[value] for value in model.generate(seconds=2, key="D minor", density=8).tokens[:, 2]}
    assert {"key:D minor", "density:<9"} <= told


def test_a_rewritten_piece_may_be_told_what_it_is_to_be_like(model: Model, song: Score) -> None:
    told = [NAMES[value] for value in model.infill(song, "3", key="D minor", density=8).tokens[:, 2]]
    assert {"key:D minor", "density:<9"} <= set(told)


def test_a_style_has_its_own_reference_where_there_is_one(model: Model) -> None:
    assert model.reference("pop")["note_density"][1] == 5.0
    assert model.reference("jazz") == model.reference() == {"note_density": [1.0, 2.0, 3.0]}
