"""What is read has slips, what is wanted has none, and what follows from a slip is not learned."""

import numpy as np
import pytest

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, HOW_LOUD, WHAT, WHEN, WHO
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError

TOKENIZER = NoteTokenizer()
FIRST = TOKENIZER.layout.first["pitch"]


def one_note_a_quarter(count=400, tracks=2):
    """So that (bar, when) names a note; pitches, lengths and loudnesses vary."""
    at = np.arange(count)
    notes = Notes(480 * at, 60 * (1 + at % 7), 40 + at % 37, 20 + 3 * (at % 31), at % tracks)
    return TOKENIZER.encode(Score(notes=notes.sorted(), tracks=(Track(),) * tracks)).astype(np.int64)


ROWS = one_note_a_quarter()


def slipped(share, seed=0, rows=ROWS):
    return TOKENIZER.slips(rows, share, np.random.default_rng(seed))


def places(rows):
    """(bar, when) of each row."""
    return [
        *zip(np.cumsum(rows[:, WHAT] == TOKENIZER.layout.first["bar"]).tolist(), rows[:, WHEN].tolist(), strict=True)
    ]


def test_without_slips_a_window_is_read_as_it_is():
    read, wanted, counts = slipped(0.0)
    assert np.array_equal(read, ROWS)
    assert np.array_equal(wanted, ROWS)
    assert counts.all()


def test_about_the_share_asked_for_is_wrong_and_half_as_much_missing_or_added():
    notes = int((ROWS[:, WHAT] >= FIRST).sum())
    wrong, missing, added, shares = 0, 0, 0, []
    for seed in range(100):
        read, wanted, _ = slipped(0.1, seed)
        there, counted = np.unique(np.array(places(read))[read[:, WHAT] >= FIRST], axis=0, return_counts=True)
        missing, added = missing + notes - len(there), added + int((counted > 1).sum())
        shares.append((read != wanted).any(axis=1).sum() / notes)
        wrong += shares[-1]
    assert wrong / 100 == pytest.approx(0.1, abs=0.02)
    assert (missing / 100 / notes, added / 100 / notes) == pytest.approx((0.05, 0.05), abs=0.015)
    assert min(shares) < 0.03
    assert max(shares) > 0.15


@pytest.mark.parametrize("seed", range(20))
def test_what_is_wanted_is_what_was_there_and_counts_only_after_what_was_there(seed):
    read, wanted, counts = slipped(0.2, seed)
    original = [tuple(row) for row in ROWS.tolist()]
    note_at = dict(zip(places(ROWS), original, strict=True))
    following = 0  # number of the row that is due if none is missing
    for row, place, is_counted in zip(map(tuple, wanted.tolist()), places(wanted), counts.tolist(), strict=True):
        if row[WHAT] >= FIRST and row != note_at[place]:
            assert not is_counted  # one too many
            assert row[WHO] == note_at[place][WHO]
            continue
        number = original.index(row, following)
        assert is_counted == (number == following)
        following = number + 1
    assert np.array_equal(read[wanted[:, WHAT] < FIRST], ROWS[ROWS[:, WHAT] < FIRST])


def test_a_wrong_note_is_wrong_in_one_field_as_another_note_of_its_track_is_right():
    read, wanted, _ = slipped(0.25, 3)
    changed = (read != wanted).any(axis=1)
    assert changed.any()
    assert ((read != wanted)[changed].sum(axis=1) == 1).all()
    for row, field in zip(read[changed], (read != wanted)[changed].argmax(axis=1), strict=True):
        assert field in {WHAT, HOW_LONG, HOW_LOUD}
        assert row[field] in ROWS[(ROWS[:, WHAT] >= FIRST) & (ROWS[:, WHO] == row[WHO]), field]


def test_tokens_that_are_not_notes_have_no_slips():
    with pytest.raises(ConfigError, match="mistaken"):
        EventTokenizer().slips(np.zeros((4, 1), np.int64), 0.1, np.random.default_rng(0))
