"""Written music becomes what is played."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.notation.playing import play
from aurl.music.notation.written import Change, Marks, Syllable, WrittenNote, WrittenPart, WrittenScore
from aurl.music.repair.report import FaultLog
from aurl.music.score import Score
from aurl.utils.errors import MidiError

F = Fraction
TWICE = Marks(times=2)
WALTZ = [Change(0, F(0), (3, 4))]


def piece(
    notes: list[WrittenNote], lengths: list[F], marks: list[Marks] | None = None, **others: object
) -> WrittenScore:
    part = WrittenPart(notes=notes)
    return WrittenScore(lengths, marks or [Marks()] * len(lengths), [part], **others)  # type: ignore[arg-type]


def beats(score: Score) -> list[tuple[F, F, int]]:
    notes, unit = score.notes, score.ticks_per_beat
    return [
        (F(int(onset), unit), F(int(length), unit), int(pitch))
        for onset, length, pitch in zip(notes.onset, notes.duration, notes.pitch, strict=True)
    ]


def quarter(bar: int, offset: int, pitch: int = 60, **others: object) -> WrittenNote:
    return WrittenNote(bar, F(offset), F(1), pitch, **others)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.fractions(0, 3, max_denominator=9), st.fractions("1/9", 1, max_denominator=9)), max_size=8)
)
def test_times_are_exact(rows: list[tuple[F, F]]) -> None:
    notes = [WrittenNote(0, onset, length, 40 + index) for index, (onset, length) in enumerate(rows)]
    score = play(piece(notes, [F(4)]), FaultLog())
    if score.ticks_per_beat != 10_080:
        assert sorted(beats(score)) == sorted((o, d, 40 + i) for i, (o, d) in enumerate(rows))


def test_rhythms_that_no_midi_holds_are_rounded_and_told() -> None:
    notes = [WrittenNote(0, F(0), F(1, prime), 60) for prime in (7, 11, 13, 17)]
    faults = FaultLog()
    assert play(piece(notes, [F(4)]), faults).ticks_per_beat == 10_080
    assert faults.report(0).faults[0].kind == "rhythm finer than MIDI"


def test_repeated_bars_sound_again_with_the_next_verse() -> None:
    written = piece([quarter(0, 0)], [F(4)], [TWICE])
    written.parts[0].syllables = [Syllable(0, F(0), 1, "first"), Syllable(0, F(0), 2, "second")]
    score = play(written, FaultLog())
    assert beats(score) == [(F(0), F(1), 60), (F(4), F(1), 60)]
    assert score.texts.of("lyric").text.tolist() == ["first", "second"]


def test_ties_join_across_repeats_and_only_to_the_note_that_follows() -> None:
    tied = quarter(0, 3, tied_to_next=True)
    written = piece([tied, quarter(1, 0, tied_to_previous=True), quarter(1, 2, tied_to_previous=True)], [F(4), F(4)])
    assert beats(play(written, FaultLog())) == [(F(3), F(2), 60), (F(6), F(1), 60)]


def test_an_upbeat_ends_on_a_bar_line() -> None:
    score = play(piece([quarter(0, 0), quarter(1, 0)], [F(1), F(3), F(3)], metres=WALTZ), FaultLog())
    assert beats(score) == [(F(2), F(1), 60), (F(3), F(1), 60)]
    assert score.metre_map.ticks_to_bar_beat(score.notes.onset)[0].tolist() == [0, 1]
    assert len(score.time_signatures) == 1


@pytest.mark.parametrize(
    ("lengths", "onsets", "signatures"),
    [
        ([F(3), F(2), F(1), F(3)], [0, 3, 5, 6], 1),  # a bar split by a repeat sign
        ([F(3), F(2), F(3), F(3)], [0, 3, 5, 8], 2),  # a bar that is too short
        ([F(3), F(5), F(3), F(3)], [0, 3, 8, 11], 2),  # a cadenza
    ],
)
def test_bars_that_do_not_fit_leave_later_bar_lines_right(lengths: list[F], onsets: list[int], signatures: int) -> None:
    score = play(piece([quarter(bar, 0) for bar in range(4)], lengths, metres=WALTZ), FaultLog())
    assert [onset for onset, _, _ in beats(score)] == onsets
    assert score.metre_map.ticks_to_bar_beat(score.notes.onset[-1:])[1] == [0.0]
    assert len(score.time_signatures) == signatures


def test_tempo_key_and_dynamics_of_the_page_hold_again_after_a_jump_back() -> None:
    part = WrittenPart(notes=[quarter(0, 0), quarter(1, 2)], velocities=[Change(0, F(0), 40), Change(1, F(1), 90)])
    marks = [Marks(), TWICE]
    written = WrittenScore([F(4), F(4)], marks, [part], tempos=[Change(0, F(0), 60), Change(1, F(0), 120)])
    score = play(written, FaultLog())
    assert score.notes.velocity.tolist() == [40, 90, 40, 90]
    assert score.tempos.bpm.round().tolist() == [60, 120, 60, 120]
    assert (score.tempos.time // score.ticks_per_beat).tolist() == [0, 4, 8, 12]


def test_transposing_instruments_sound_at_concert_pitch() -> None:
    part = WrittenPart(notes=[quarter(0, 0), quarter(1, 0)], semitones=[Change(0, F(0), -2), Change(1, F(0), 3)])
    score = play(WrittenScore([F(4), F(4)], [Marks()] * 2, [part]), FaultLog())
    assert score.notes.pitch.tolist() == [58, 63]


def test_grace_notes_come_before_the_beat_and_those_before_the_piece_are_left_out() -> None:
    graces = [WrittenNote(0, F(offset), F(0), 62, graces_left=left) for offset, left in ((0, 1), (1, 2), (1, 1))]
    faults = FaultLog()
    score = play(piece([*graces, quarter(0, 1)], [F(4)]), faults)
    assert beats(score) == [(F(3, 4), F(1, 8), 62), (F(7, 8), F(1, 8), 62), (F(1), F(1), 60)]
    assert faults.report(0).faults[0].count == 1


def test_chord_symbols_are_labels_and_what_is_none_is_told() -> None:
    chords = [Change(0, F(0), "Bbmin7"), Change(0, F(2), "what?"), Change(0, F(3), "N.C.")]
    faults = FaultLog()
    score = play(piece([quarter(0, 0)], [F(4)], chords=chords), faults)
    assert score.texts.of("chord").text.tolist() == ["Bbm7", "N.C."]
    assert score.metadata["labels.chord"].startswith("given: ")
    assert faults.report(0).faults[0].where == "'what?'"


def test_endless_repeats_are_left_out_and_endless_pieces_refused() -> None:
    faults = FaultLog()
    assert len(play(piece([quarter(0, 0)], [F(4)], [replace(TWICE, times=10**9)]), faults).notes) == 1
    assert faults.report(0).faults[0].kind == "endless repeats"
    with pytest.raises(MidiError, match="too long"):
        play(piece([quarter(0, 0)], [F(10**9)]), FaultLog())
