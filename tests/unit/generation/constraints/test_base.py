"""Several constraints at once: always a value left, and what is dropped is counted."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.note_vocabulary import WHAT, WHEN, WHO
from aurl.generation.constraints import CONSTRAINTS, Constraint, Constraints, note_layout
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError

TOKENIZER = NoteTokenizer()
LAYOUT = TOKENIZER.layout
SIZES = LAYOUT.vocabulary.sizes
ALL = (
    {"name": "scale", "key": "D minor"},
    {"name": "scale", "scale": "blues"},
    {"name": "chords", "progression": "Dm Gm | A7 | N.C. | Dm . . C/E", "bass": True},
    {"name": "range", "low": "C3", "high": 84},
    {"name": "range", "low": "E1", "high": "G3", "tracks": ["Bass"], "strength": 2},
    {"name": "polyphony", "most": 1, "tracks": [1, "Bass"]},
    {"name": "polyphony", "most": 2},
    {"name": "voices", "at_once": 3},
    {"name": "instruments", "programs": ["Violin", "Electric Bass (finger)", "Drums"], "bars": 4},
    {"name": "density", "notes": 2},
    {"name": "rhythm", "pattern": "x..x..x. | x.x."},
    {"name": "rhythm", "pattern": "x.x.x.x.", "tracks": ["Drums"], "every": True},
    {"name": "parallels"},
    {"name": "cadence", "key": "D minor", "bars": 4},
    {"name": "cadence", "bars": 3, "strength": 3},
    {"name": "no_repeat", "times": 1},
    {"name": "reprise", "strength": 9, "lag": 1},
    {"name": "tonality", "key": "D minor"},
    {"name": "tonality", "strength": 4},
    {"name": "harmony", "progression": "Dm Gm/D | A7 N.C."},
)
SETTINGS = st.lists(st.sampled_from(ALL), max_size=6)


def built(configs, batch=1):
    return Constraints([CONSTRAINTS.parse(config) for config in configs], LAYOUT, batch)


@settings(max_examples=12, deadline=None)
@given(configs=SETTINGS, seed=st.integers(0, 2**32))
def test_every_mixture_leaves_music(walk, configs, seed):
    """The walk itself checks that a choice is left each time, and that it is legal."""
    piece = walk(configs, seed, length=90)
    assert TOKENIZER.grammar.first_illegal(piece.rows) is None
    scores = piece.constraints.scores(piece.score)
    assert len(scores) == len(configs)
    assert all(0 <= score <= 1 for score in scores.values())
    assert piece.constraints.score(piece.score) == pytest.approx(
        sum(scores.values()) / max(len(scores), 1) or 1.0 - bool(scores)
    )


@settings(max_examples=20, deadline=None)
@given(configs=SETTINGS, seed=st.integers(0, 2**32))
def test_nothing_raises_whatever_has_been_written(configs, seed):
    random = np.random.default_rng(seed)
    constraints, pieces = built(configs, 3), np.array([2, 0])
    for row in range(25):
        rows = random.integers(0, SIZES, (2, len(SIZES)))
        rows[:, WHEN] *= random.random(2) < 0.7
        if row < 4:
            rows[:, [WHEN, WHO]], rows[:, WHAT] = 0, (LAYOUT.first["program"] + 40 * row, LAYOUT.first["bar"])
        for field, size in enumerate(SIZES):
            legal = random.random((2, size)) < 0.02
            legal[:, 0] |= ~legal.any(axis=1)
            before = legal.copy()
            allowed, bias = constraints.apply(pieces, field, rows[:, :field], legal)
            assert allowed.any(axis=1).all()
            assert (before | ~allowed).all()
            assert (legal == before).all()
            assert bias is None or (bias.shape == legal.shape and np.isfinite(bias).all())
        constraints.hear(pieces, rows)


def test_pieces_beside_each_other_are_held_as_if_alone(walk):
    """Masks and biases of three pieces at once equal those of each alone, to the last bit."""
    walks = [walk([], seed, length=60).rows for seed in range(3)]
    together, alone = built(ALL, 3), [built(ALL) for _ in range(3)]
    for rows in np.stack(walks, axis=1):
        for field, size in enumerate(SIZES):
            legal = np.ones((3, size), np.bool_)
            allowed, bias = together.apply(np.arange(3), field, rows[:, :field], legal)
            for piece, single in enumerate(alone):
                mask, lean = single.apply(np.zeros(1, np.int64), field, rows[[piece], :field], legal[:1])
                assert (mask[0] == allowed[piece]).all()
                expected = np.zeros(size) if bias is None else bias[piece]
                assert ((0 if lean is None else lean[0]) == expected).all()
        together.hear(np.arange(3), rows)
        for piece, single in enumerate(alone):
            single.hear(np.zeros(1, np.int64), rows[[piece]])


def test_the_earlier_of_two_that_contradict_each_other_wins(opening):
    constraints = built([{"name": "range", "low": 60, "high": 60}, {"name": "range", "low": 61, "high": 61}], 2)
    head = opening()
    for row in head:
        constraints.hear(np.arange(2), np.stack([row, row]))
    legal = np.zeros((1, LAYOUT.size), np.bool_)
    legal[0, LAYOUT.first["pitch"] : LAYOUT.end["pitch"]] = True
    allowed, _ = constraints.apply(np.array([1]), WHAT, np.array([[1, 1]]), legal)
    assert np.flatnonzero(allowed[0]).tolist() == [LAYOUT.first["pitch"] + 60]
    assert {name: counts.tolist() for name, counts in constraints.dropped.items()} == {
        "range": [0, 0],
        "range#2": [0, 1],
    }
    constraints.select(np.array([1, 1]))
    assert constraints.dropped["range#2"].tolist() == [1, 1]
    assert len(constraints.hearing.pieces) == 2


def test_tokens_without_a_grid_cannot_be_held():
    assert note_layout(TOKENIZER) is LAYOUT
    for tokenizer in (EventTokenizer(), NoteTokenizer(NoteTokenizerConfig(clock="performed"))):
        with pytest.raises(ConfigError, match="cannot be held to constraints"):
            note_layout(tokenizer)


def test_a_plug_in_needs_a_score_and_what_it_minds():
    class SilentConfig(Config):
        name: Literal["silent"] = "silent"

    @CONSTRAINTS.register(SilentConfig)
    class Silent(Constraint[SilentConfig]):
        fields = (WHEN,)

        def score(self, score):
            return float(not len(score.notes))

    try:
        constraints = built([{"name": "silent"}])
        legal = np.ones((1, SIZES[WHEN]), np.bool_)
        allowed, bias = constraints.apply(np.zeros(1, np.int64), WHEN, np.zeros((1, 0), np.int64), legal)
        assert allowed.all()
        assert bias is None
        assert constraints.score(Score()) == 1
    finally:
        CONSTRAINTS._parts.pop("silent")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"name": "scale", "key": "H"}, "key: not a key"),
        ({"name": "scale", "scale": "bluse"}, "unknown scale.*blues"),
        ({"name": "scale", "strength": 0}, "strength"),
        ({"name": "scale", "strength": "firm"}, "strength"),
        ({"name": "chords"}, "progression"),
        ({"name": "chords", "progression": "hello"}, "not a chord"),
        ({"name": "chords", "progression": "i V"}, "numerals need a key"),
        ({"name": "range", "low": "H2"}, "low: not a pitch"),
        ({"name": "range", "low": 130}, "low"),
        ({"name": "range", "low": "C5", "high": "C4"}, "C5 to C4"),
        ({"name": "range", "tracks": ["Kazoo"]}, "tracks: not an instrument"),
        ({"name": "range", "tracks": [0]}, "tracks: not a track"),
        ({"name": "polyphony", "most": 0}, "most"),
        ({"name": "instruments", "programs": []}, "programs"),
        ({"name": "instruments", "programs": ["Kazoo"]}, "not an instrument"),
        ({"name": "instruments", "programs": [129]}, "programs"),
        ({"name": "instruments", "programs": {}}, "programs"),
        ({"name": "density", "notes": 0}, "notes"),
        ({"name": "rhythm", "pattern": "...."}, "not a rhythm"),
        ({"name": "rhythm", "pattern": "x-x"}, "not a rhythm"),
        ({"name": "cadence", "bars": 1}, "bars"),
        ({"name": "no_repeat", "times": 0}, "times"),
        ({"name": "parallel"}, "parallels"),
    ],
)
def test_nonsense_is_refused(config, problem):
    with pytest.raises(ConfigError, match=problem):
        CONSTRAINTS.parse(config)
