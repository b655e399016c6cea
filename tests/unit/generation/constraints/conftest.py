"""Music without a model: rows drawn evenly from all that grammar and constraints allow."""

from dataclasses import dataclass

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import WHAT, WHEN
from aurl.generation.constraints import CONSTRAINTS, Constraints
from aurl.music.score import Notes, Score, Track

TOKENIZER = NoteTokenizer()
PREFIX = "start,bars:free,style:free,composer:free,density:free,polyphony:free,key:{key},metre:{metre},tempo:120"
TRACKS = ("Violin", "Electric Bass (finger)", "Drums")


def rows_of(text):
    """Rows from the names of their fields, separated by commas."""
    fields = TOKENIZER.vocabulary.fields
    found = np.zeros((text.count(",") + 1, len(fields)), np.int64)
    for row, names in zip(found, text.split(","), strict=True):
        for name in names.split(" / "):
            at = next(n for n, field in enumerate(fields) if name in field.tokens)
            row[at] = fields[at].tokens.index(name)
    return found


def opening(tracks=TRACKS, key="free", metre="4/4"):
    return rows_of(",".join([PREFIX.format(key=key, metre=metre), *(f"program:{name}" for name in tracks), "bar"]))


@dataclass
class Walk:
    rows: np.ndarray
    constraints: Constraints

    @property
    def score(self):
        return TOKENIZER.decode(self.rows)

    @property
    def dropped(self):
        return {name: int(counts.sum()) for name, counts in self.constraints.dropped.items()}


def walk(configs, seed, length=150, head=None, stay=0.02, biased=True, bars=None):
    """A piece whose choices are as likely as their biases; later times and the bar line are rarer by `stay`."""
    random, grammar, layout = np.random.default_rng(seed), TOKENIZER.grammar, TOKENIZER.layout
    constraints = Constraints([CONSTRAINTS.parse(config) for config in configs], layout, 1)
    state, written, one = grammar.initial, [], np.zeros(1, np.int64)
    given = list(opening() if head is None else head)
    while len(written) < length:
        row = np.zeros((1, len(TOKENIZER.vocabulary.fields)), np.int64)
        if given:
            row[0] = given.pop(0)
        else:
            for field in range(row.shape[1]):
                legal = grammar.mask(state, field, row[0, :field].tolist())[None].copy()
                if field == WHAT:
                    legal[0, layout.first["end"]] &= legal[0].sum() == 1
                allowed, bias = constraints.apply(one, field, row[:, :field], legal)
                assert allowed.shape == legal.shape
                assert allowed.any()
                assert (legal | ~allowed).all()
                weights = allowed[0].astype(np.float64)
                if bias is not None and biased:
                    weights *= np.exp(bias[0])
                if field == WHEN:
                    weights[0] *= 5 * stay
                    weights[30:] *= stay
                row[0, field] = random.choice(len(weights), p=weights / weights.sum())
        state = grammar.advance(state, row[0].tolist())
        constraints.hear(one, row)
        written.append(row[0])
        if bars is not None and constraints.hearing.pieces[0].bar == bars:
            written.pop()
            break
    return Walk(np.array(written), constraints)


@pytest.fixture(scope="session", name="walk")
def walk_fixture():
    return walk


@pytest.fixture(scope="session", name="opening")
def opening_fixture():
    return opening


@pytest.fixture(scope="session", name="rows_of")
def rows_of_fixture():
    return rows_of


@pytest.fixture(scope="session")
def melody():
    """A score of quarter notes, one after the other."""

    def melody_of(pitches):
        same = np.ones(len(pitches), np.int64)
        notes = Notes(480 * np.arange(len(pitches)), 480 * same, np.array(pitches, np.int64), 64 * same, 0 * same)
        return Score(notes=notes, tracks=(Track(0),))

    return melody_of
