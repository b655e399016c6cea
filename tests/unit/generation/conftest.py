"""Small worlds to generate in: a tokenizer of ten values, one of two fields, and a runtime with a short memory."""

import numpy as np
import pytest

from aurl.data.tokenizers.base import Clock, LossReport, Tokenizer
from aurl.data.tokenizers.grammar import Grammar, TableGrammar
from aurl.data.tokenizers.vocabulary import Field, Vocabulary
from aurl.music.score import Notes, Score, Track
from aurl.utils.config import Config

START, END, PAD, TICK, NOTE = range(5)
NOTES = 6
TICKS_PER_SECOND = 960  # 480 to the beat at 120 bpm


class ToyTokenizer(Tokenizer):
    """A tick passes one second (half a bar); a note sounds until the next one or the end of the piece.

    The end may come after a tick only, and no note follows itself at once.
    """

    VERSION = 1
    rows_per_second = 200

    def __init__(self):
        self.config = Config()
        self.vocabulary = Vocabulary(
            (Field("toy", ("start", "end", "pad", "tick", *(f"note:{60 + n}" for n in range(NOTES)))),)
        )
        size = NOTE + NOTES
        legal = np.zeros((size, size), np.bool_)
        legal[:, TICK:] = True
        legal[PAD] = np.arange(size) == START  # before the first token
        legal[TICK, END] = True
        legal[np.arange(NOTE, size), np.arange(NOTE, size)] = False
        self.grammar = TableGrammar(legal, np.tile(np.arange(size), (size, 1)), PAD)

    def encode(self, score):
        rows, second = [START], 0
        for onset, pitch in zip(score.notes.onset, score.notes.pitch, strict=True):
            rows += [TICK] * (onset // TICKS_PER_SECOND - second) + [NOTE + pitch - 60]
            second = onset // TICKS_PER_SECOND
        rows += [TICK] * (score.end_ticks // TICKS_PER_SECOND - second) + [END]
        return np.array(rows, np.uint16)[:, None]

    def decode(self, tokens):
        seconds = self.clock(tokens).seconds
        at = np.flatnonzero(tokens[:, 0] >= NOTE)
        onset = (seconds[at] * TICKS_PER_SECOND).astype(np.int64)
        end = np.append(onset[1:], int(seconds[-1] * TICKS_PER_SECOND))
        pitch, same = tokens[at, 0] - NOTE + 60, np.zeros(len(at), np.int64)
        return Score(notes=Notes(onset, end - onset, pitch, same + 64, same), tracks=(Track(),))

    def canonical(self, score):
        return score, LossReport()

    def clock(self, tokens):
        seconds = (tokens[:, 0] == TICK).cumsum()
        return Clock(seconds.astype(np.float64), 2.0 * seconds, seconds // 2)

    def note_count(self, tokens):
        return int((tokens[:, 0] >= NOTE).sum())


class AlternatingGrammar(Grammar):
    """State 0 wants a note with a pitch 1..5, state 1 a tick or the end, whose pitch is 0."""

    initial = 0

    def mask(self, state, field, chosen):
        options = [[[0, 0, 0, 1, 0], [0, 1, 0, 0, 1]], [[0, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]]]
        return np.array(options[field][state], np.bool_)

    def advance(self, state, row):
        return int(row[0] == 3)


class PairTokenizer(ToyTokenizer):
    """Two fields: what (start, end, pad, note, tick) and pitch (none, 1..5)."""

    def __init__(self):
        self.config = Config()
        what = Field("what", ("start", "end", "pad", "note", "tick"))
        self.vocabulary = Vocabulary((what, Field("pitch", ("none", "1", "2", "3", "4", "5"))))
        self.grammar = AlternatingGrammar()


class FakeRuntime:
    """Logits drawn by the last `memory` tokens of a row and its chosen fields, and by nothing else."""

    def __init__(self, sizes=(NOTE + NOTES,), context=1000, memory=4, bias=None):
        self.sizes, self.context, self.memory = sizes, context, memory
        self.bias = np.zeros(max(sizes)) if bias is None else bias
        self.rows, self.feeds, self.asked = [], [], []

    @property
    def lengths(self):
        return np.array([len(row) for row in self.rows], np.int64)

    def reset(self, batch):
        self.rows = [[] for _ in range(batch)]
        self.feeds.append("reset")

    def feed(self, tokens, counts=None):
        counts = [tokens.shape[1]] * len(tokens) if counts is None else counts
        for row, new, count in zip(self.rows, tokens.tolist(), counts, strict=True):
            row.extend(new[:count])
        self.feeds.append(tokens.shape[1])
        assert self.lengths.max() <= self.context

    def rewind(self, lengths):
        self.feeds.append("rewind")
        self.rows = [row[:length] for row, length in zip(self.rows, lengths, strict=True)]

    def select(self, pieces):
        self.rows = [list(self.rows[piece]) for piece in pieces]

    def logits(self, field, chosen):
        self.asked.append(field)
        size = self.sizes[field]
        keys = [np.ravel(row[-self.memory :]).tolist() + list(c) for row, c in zip(self.rows, chosen, strict=True)]
        drawn = [np.random.default_rng([field, *key]).normal(0, 2, size) for key in keys]
        return (np.array(drawn) + self.bias[:size]).astype(np.float32)


class NoteRuntime:
    """Equally likely values, but bars that end soon; keeps what it was fed."""

    def __init__(self, tokenizer, context=64):
        self.sizes, self.context = tokenizer.vocabulary.sizes, context
        self.rows, self.windows = [], []

    @property
    def lengths(self):
        return np.array([len(rows) for rows in self.rows], np.int64)

    def reset(self, batch):
        self.rows = [[] for _ in range(batch)]

    def feed(self, tokens, counts=None):
        counts = [tokens.shape[1]] * len(tokens) if counts is None else counts
        for rows, new, count in zip(self.rows, tokens.tolist(), counts, strict=True):
            if not rows and count:
                self.windows.append(np.array(new[:count]))
            rows.extend(new[:count])
        assert self.lengths.max() <= self.context

    def rewind(self, lengths):
        self.rows = [rows[:length] for rows, length in zip(self.rows, lengths, strict=True)]

    def select(self, pieces):
        self.rows = [list(self.rows[piece]) for piece in pieces]

    def logits(self, field, chosen):
        logits = np.zeros((len(self.rows), self.sizes[field]), np.float32)
        if field == 0:
            logits[:, 0] = 3.0
        return logits


@pytest.fixture
def note_runtime():
    return NoteRuntime


@pytest.fixture
def toy():
    return ToyTokenizer()


@pytest.fixture
def pair():
    return PairTokenizer()


@pytest.fixture
def fake_runtime():
    return FakeRuntime


def bias(**values):
    """Added to the logits by name: `tick`, `end`, `notes`."""
    added = np.zeros(NOTE + NOTES)
    added[TICK], added[END] = values.get("tick", 0), values.get("end", 0)
    added[NOTE:] = values.get("notes", 0)
    return added


@pytest.fixture
def biased():
    return lambda **values: FakeRuntime(bias=bias(**values))


@pytest.fixture
def melody():
    """Twelve notes of one second each: 12 s, 6 bars."""
    onset = np.arange(12) * TICKS_PER_SECOND
    same = np.ones(12, np.int64)
    return Score(
        notes=Notes(onset, same * TICKS_PER_SECOND, 60 + np.arange(12) % NOTES, 64 * same, 0 * same),
        tracks=(Track(),),
    )
