"""Humdrum kern is read as its text says."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.notation import kern
from aurl.music.notation.kern import read_kern
from aurl.music.notation.kern_spines import MOST_SPINES
from aurl.music.notation.kern_tokens import LONGEST_TOKEN
from aurl.music.notation.playing import play
from aurl.music.notation.written import Change, WrittenScore
from aurl.music.repair.report import FaultLog
from aurl.music.score import Score
from aurl.utils.errors import MidiError

F = Fraction
NAMES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def lines(*rows: str) -> str:
    """A kern text: the cells of a row stand apart by two spaces here, by tabs in a file."""
    return "\n".join("\t".join(row.split("  ")) for row in rows)


def one_spine(*tokens: str) -> WrittenScore:
    return read_kern("\n".join(["**kern", *tokens, "*-"]), "one.krn")


def rows(written: WrittenScore, part: int = 0) -> list[tuple[int, F, F, int]]:
    """(bar, offset, duration, pitch)."""
    return [note[:4] for note in written.parts[part].notes]


def played(written: WrittenScore) -> list[tuple[F, F, int]]:
    score: Score = play(written, FaultLog())
    unit = score.ticks_per_beat
    columns = zip(score.notes.onset.tolist(), score.notes.duration.tolist(), score.notes.pitch.tolist(), strict=True)
    return sorted((F(onset, unit), F(length, unit), pitch) for onset, length, pitch in columns)


@given(st.sampled_from("cdefgab"), st.integers(1, 5), st.sampled_from(["", "#", "##", "-", "--", "n"]), st.booleans())
def test_letters_count_octaves_from_middle_c(letter: str, count: int, accidental: str, low: bool) -> None:
    token = "4" + (letter.upper() if low else letter) * count + accidental
    octave = 5 - count if low else 4 + count
    expected = 12 * octave + NAMES[letter] + accidental.count("#") - accidental.count("-")
    assert rows(one_spine(token)) == [(0, 0, 1, expected)]


@given(st.integers(1, 9999), st.integers(1, 99), st.integers(0, 3))
def test_a_duration_is_a_part_of_a_whole_note_and_dots_lengthen_it(number: int, multiple: int, dots: int) -> None:
    length = rows(one_spine(f"{number}%{multiple}{'.' * dots}c"))[0][2]
    assert length == F(4 * multiple, number) * (2 - F(1, 2**dots))


@pytest.mark.parametrize(("number", "quarters"), [("0", 8), ("00", 16), ("1", 4), ("12", F(1, 3))])
def test_zeros_are_breves_and_longs(number: str, quarters: F) -> None:
    assert rows(one_spine(number + "c"))[0][2] == quarters


@given(st.lists(st.lists(st.integers(1, 24), min_size=1, max_size=5), min_size=1, max_size=4))
def test_spines_of_any_rhythms_keep_time(counts: list[list[int]]) -> None:
    """Two spines, each beat of the first in `n` parts, of the second in two; what comes is in order and exact."""
    beats = [count for bar in counts for count in bar]
    table: list[tuple[F, int, str]] = []
    for beat, count in enumerate(beats):
        table += [(beat + F(i, count), 0, f"{4 * count}c") for i in range(count)]
        table += [(beat + F(i, 2), 1, "8d") for i in range(2)]
    times = sorted({time for time, _, _ in table})
    cells = {(time, spine): token for time, spine, token in table}
    text = lines("**kern  **kern", *(f"{cells.get((t, 0), '.')}  {cells.get((t, 1), '.')}" for t in times), "*-  *-")
    written = read_kern(text, "two.krn")
    assert [(o, d) for _, o, d, _ in rows(written, 1)] == [
        (beat + F(i, count), F(1, count)) for beat, count in enumerate(beats) for i in range(count)
    ]
    assert [o for _, o, _, _ in rows(written)] == [F(i, 2) for i in range(2 * len(beats))]
    assert written.lengths == [len(beats)]


def test_chords_tie_head_by_head() -> None:
    written = one_spine("[4c 4e", "4c] 4e", "4g_", "4r")
    assert played(written) == [(0, 1, 64), (0, 2, 60), (1, 1, 64), (2, 1, 67)]


def test_voices_split_swap_and_join_in_their_own_staff() -> None:
    text = lines(
        "**kern  **kern", "*^  *", "4C  2E  1cc", "4D  .  .", "*x  *x  *", "4F  4G  .", "4A  8B  .", ".  8c  .",
        "*v  *v  *", "1C  1dd", "*-  *-",
    )  # fmt: skip
    written = read_kern(text, "voices.krn")
    assert sorted(rows(written, 1)) == [
        (0, 0, 1, 48), (0, 0, 2, 52), (0, 1, 1, 50), (0, 2, 1, 53), (0, 2, 1, 55), (0, 3, F(1, 2), 59), (0, 3, 1, 57),
        (0, F(7, 2), F(1, 2), 60), (0, 4, 4, 48),
    ]  # fmt: skip
    assert rows(written) == [(0, 0, 4, 72), (0, 4, 4, 74)]


def test_spines_may_begin_and_end_within_a_piece() -> None:
    text = lines("**kern", "4c", "*+", "*  **kern", "4d  4D", "*  *-", "4e", "*-")
    written = read_kern(text, "added.krn")
    assert rows(written, 0) == [(0, 1, 1, 50)]
    assert rows(written, 1) == [(0, 0, 1, 60), (0, 1, 1, 62), (0, 2, 1, 64)]


def test_grace_notes_lead_to_what_follows_also_across_a_bar_line_and_a_join() -> None:
    written = one_spine("*M2/4", "4c", "8qd", "8qqe 8qqg", "4f", "16qa", "=2", "4b")
    graces = [(n.bar, n.offset, n.pitch, n.graces_left) for n in written.parts[0].notes if n.graces_left]
    assert graces == [(0, 1, 62, 2), (0, 1, 64, 1), (0, 1, 67, 1), (0, 2, 69, 1)]
    eighth = F(1, 8)
    assert [row for row in played(written) if row[1] == eighth] == [
        (F(3, 4), eighth, 62), (F(7, 8), eighth, 64), (F(7, 8), eighth, 67), (F(15, 8), eighth, 69),
    ]  # fmt: skip
    text = lines("**kern", "*^", "4c  4e", "8qd  .", "*v  *v", "4f", "8qg", "*-")
    assert [n.graces_left for n in read_kern(text, "join.krn").parts[0].notes] == [0, 0, 1, 0, 1]


def test_repeats_and_numbered_endings_are_played() -> None:
    written = one_spine(
        "*>[A,A1,A,A2,B]", "*>A", "4c", "=2", "*>A1", "4d", "=3:|!", "*>A2", "4e", "=4!|:", "*>B", "4f", "=:|!|:", "4g"
    )
    assert [pitch for _, _, pitch in played(written)] == [60, 62, 60, 64, 65, 65, 67]


def test_bars_end_at_any_bar_line_and_empty_ones_are_none() -> None:
    written = one_spine("=-", "4c", "=1", "4d", "4e", "=||", "=2!|:", "4f", "=:|!", "==")
    assert written.lengths == [1, 2, 1]
    assert [mark.repeat_starts for mark in written.marks] == [False, False, True]
    assert [mark.times for mark in written.marks] == [1, 1, 2]


def test_metres_keys_and_tempos_are_kept_with_their_places() -> None:
    written = one_spine(
        "*M2+3/8", "*k[b-]", "*d:", "*MM60", "4c", "8d", "4e", "=2", "*M3/4", "*k[cancel]", "*k[f#c#]", "*e:",
        "*k[bnf#]", "*MM60.5", "2.c", "*k[f#b-]", "*MM1", "*M4/4", "*M0/4", "*M4/5"
    )  # fmt: skip
    assert written.metres == [Change(0, F(0), (5, 8)), Change(1, F(0), (3, 4)), Change(1, F(3), (4, 4))]
    assert written.keys == [Change(0, F(0), (-1, True)), Change(1, F(0), (1, False))]
    assert written.tempos == [Change(0, F(0), 60), Change(1, F(0), 60.5)]


def test_a_metronome_mark_in_words_says_what_its_beat_is() -> None:
    marked = "!!!OMD: Allegro. ([quarter-dot] = 96.)"
    assert one_spine(marked, "*MM96", "4c").tempos == [Change(0, F(0), 144)]
    assert one_spine("*MM80", "!LO:TX:t=[half-note] = 44", "4c").tempos == [Change(0, F(0), 88)]
    assert one_spine("!!!OMD: Allegro.", "!!!OMD: [quarter] = 0", "!!!OMD:", "4c").tempos == []


def test_octave_signs_and_transposing_instruments_change_nothing() -> None:
    assert rows(one_spine("*ITrd1c2", "*8va", "4c", "*X8va")) == [(0, 0, 1, 60)]


def test_dynamics_hold_for_their_part_and_accents_for_a_moment() -> None:
    text = lines(
        "**kern  **kern  **kern  **dynam", "*part2  *part1  *part1  *part1", "4C  4c  4cc  p", ".  .  .  f",
        "4D  4d  4dd  fz", "4E  4e  4ee  .", "*-  *-  *-  *-",
    )  # fmt: skip
    written = read_kern(text, "loud.krn")
    loud = [Change(0, F(0), 44), Change(0, F(1, 2), 89)]
    assert [part.velocities for part in written.parts] == [loud, loud, []]
    assert [[note.velocity for note in part.notes] for part in written.parts] == [[0, 108, 0]] * 2 + [[0, 0, 0]]


def test_dynamics_of_each_staff_are_its_own() -> None:
    text = lines(
        "**dynam  **kern  **dynam  **kern  **dynam", "*  *part1  *part1  *part1  *part1", "*  *  *  *  *^",
        "f  4c  p  4e  f  .", "*-  *-  *-  *-  *-  *-",
    )  # fmt: skip
    written = read_kern(text, "staves.krn")
    assert [[change.value for change in part.velocities] for part in written.parts] == [[89], [44]]


def test_lyrics_verse_by_verse() -> None:
    text = lines(
        "**text  **kern  **text  **silbe", "x  4c  A-  |Lob", "x  4d  -men.  _", ".  4e  .  .", "*-  *-  *-  *-"
    )
    syllables = [(s.offset, s.verse, s.text) for s in read_kern(text, "sung.krn").parts[0].syllables]
    assert syllables == [(0, 1, "A-"), (0, 2, "Lob"), (1, 1, "men.")]


@pytest.mark.parametrize(
    ("kind", "tokens", "expected"),
    [
        ("**harte", ["C:maj7", "Bb:min", "N"], ["C:maj7", "Bb:min", "N"]),
        ("**mxhm", ["B- minor-seventh/D-", "none", "F# dominant"], ["Bbm7/Db", "N.C.", "F#7"]),
    ],
)
def test_chord_symbols_share_the_time_of_a_long_note(kind: str, tokens: list[str], expected: list[str]) -> None:
    text = lines(f"**kern  {kind}", f"2.c  {tokens[0]}", *(f".  {token}" for token in tokens[1:]), "*-  *-")
    assert read_kern(text, "lead.krn").chords == [Change(0, F(i), symbol) for i, symbol in enumerate(expected)]


def test_instruments_names_and_metadata() -> None:
    text = lines(
        "!!!OTL@@FR: Études", "!!!OTL: Studies", "!!!COM: Chopin", "!! a comment", "", "**kern  **kern  **kern",
        '*Icello  *I"Violon  *clefX', "!  !LO:x  !", "4C  4c  4c", '*  *I"Var. 2  *', "4C  4c  4c", "*-  *-  *-",
    )  # fmt: skip
    written = read_kern(text.replace("\n", "\r\n"), "trio.krn")
    assert written.metadata == {"title": "Études", "composer": "Chopin"}
    assert [(part.name, part.program, part.is_drum) for part in written.parts] == [
        ("", 0, True), ("Violon", 40, False), ("", 42, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no music"),
        ("**kern\n*-\n", "no music"),
        ("**text\nla\n*-\n", "no music"),
        ("4c\n", "1 columns where 0"),
        ("**kern\n4c\n*-\n**kern\n4c\n*-\n", "line 4: a second piece"),
        ("**kern\n4c\t4d\n", "line 2: 2 columns where 1"),
        ("**kern\n4c" + "\t" * 1_000_000, "columns where 1"),
        ("\t".join(["**kern"] * 1000), "1000 spines"),
        ("**kern" + "".join("\n" + "\t".join(["*^"] * 2**n) for n in range(20)), f"more than {MOST_SPINES}"),
        ("**kern\n**text\n4c\n", "no music"),
        ("**kern\t**kern\n4c\t2d\n4e\t4f\n", "line 3: a note before the one before it has ended"),
        ("**kern\n123456c\n", "means nothing"),
        ("**kern\n4%99999c\n", "means nothing"),
        ("**kern\n4" + "." * 99 + "c\n", "means nothing"),
        ("**kern\n" + "4c " * LONGEST_TOKEN, "characters long"),
        ("**kern\n" + "\n".join(f"{n}c" for n in range(9000, 9100)), "no common measure"),
    ],
)
def test_damaged_and_hostile_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(MidiError, match=message):
        read_kern(text, "bad.krn")


def test_too_many_notes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kern, "MOST_NOTES", 3)
    assert len(rows(one_spine("4c 4e 4g"))) == 3
    with pytest.raises(MidiError, match="line 3: over 3 notes"):
        one_spine("4c 4e 4g", "4c")


@given(st.text("*^v+x-\t\n=:|![]_48.%qrcC#kern>M/", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        written = read_kern("**kern\t**kern\n" + text, "any.krn")
    except MidiError:
        return
    assert all(length > 0 for length in written.lengths)
    assert len(written.lengths) == len(written.marks)
