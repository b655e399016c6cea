"""Copies are found in any key and at any tempo, and nothing is found that is not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.evaluation import copying
from aurl.evaluation.copying import (
    RATIO_TOLERANCE,
    RUN,
    CopyIndex,
    Line,
    LineIndex,
    compare_lengths,
    copying_report,
    melody,
    self_similarity,
    texture,
)
from aurl.music.score import Notes, Score, Tempos, Track
from aurl.utils.errors import CorpusError

PITCHES, TIMES = (60, 62, 64, 67), (0.0, 0.5, 1.0, 1.5)


def line(rng: np.random.Generator, notes: int = 200) -> Line:
    """A line of many intervals and times, which has little in common with any other."""
    beats = np.cumsum(rng.choice([0.25, 0.5, 0.75, 1.0], notes))
    return beats, rng.integers(48, 84, notes)


def score_of(notes: Line, *, ticks_per_beat: int = 480, track: int = 0, length: int = 60) -> Score:
    beats, pitches = notes
    onsets = np.rint(beats * ticks_per_beat).astype(int)
    count = len(onsets)
    table = Notes(onsets, np.full(count, length), pitches, np.full(count, 80), np.full(count, track))
    return Score(ticks_per_beat, notes=table, tracks=(Track(), Track(is_drum=True)))


def with_passage(host: Line, passage: Line, at: int, *, semitones: int = 0, tempo: float = 1.0) -> Line:
    """`host` with a passage, transposed and at another tempo, put in before its note `at`."""
    beats = host[0][at] + (passage[0] - passage[0][0]) * tempo
    later = host[0][at:] + beats[-1] - host[0][at] + 1
    return np.concatenate([host[0][:at], beats, later]), np.concatenate(
        [host[1][:at], passage[1] + semitones, host[1][at:]]
    )


@pytest.mark.parametrize(("tempo", "semitones"), [(0.5, -7), (2 / 3, 0), (1.0, 12), (1.37, 5), (2.0, -12)])
def test_nearly_every_passage_of_eight_notes_is_found(tempo, semitones):
    rng = np.random.default_rng(int(100 * tempo) + semitones + 7)
    sources = [line(rng) for _ in range(20)]
    index = CopyIndex(map(score_of, sources))
    found = []
    for trial in range(30):
        source, at = trial % 20, int(rng.integers(1, 190))
        passage = tuple(column[at : at + 8] for column in sources[source])
        spoilt = with_passage(line(rng), passage, int(rng.integers(1, 200)), semitones=semitones, tempo=tempo)
        found += [index.lines[name].lengths(copying.LINES[name](score_of(spoilt)))[source] >= 8 for name in index.lines]
    assert np.mean(found) >= 0.99


def test_a_match_tells_where_it_lies_on_both_sides():
    rng = np.random.default_rng(0)
    sources = [line(rng) for _ in range(3)]
    passage = tuple(column[50:70] for column in sources[2])
    match = CopyIndex(map(score_of, sources)).longest(score_of(with_passage(line(rng), passage, 30, semitones=5)))
    for found in match.values():
        assert found is not None
        assert (found.source, found.source_beat, found.semitones) == (2, sources[2][0][50], 5)
        assert 20 <= found.notes <= 22


def test_a_piece_matches_itself_as_a_whole():
    piece = score_of(line(np.random.default_rng(1)))
    match = CopyIndex([piece]).longest(piece)["texture"]
    assert match is not None
    assert (match.notes, match.beat, match.source_beat) == (200, match.source_beat, match.beat)


def test_chance_shows_no_long_match():
    rng = np.random.default_rng(2)
    index = LineIndex([line(rng) for _ in range(20)])
    lengths = [index.lengths(line(rng)).max() for _ in range(20)]
    assert max(lengths) <= RUN + 2


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_the_longest_matches_are_those_of_the_definition(data):
    draw = st.lists(st.tuples(st.sampled_from(TIMES), st.sampled_from(PITCHES)), max_size=18)
    pieces = [_as_line(data.draw(draw)) for _ in range(3)]
    query = _as_line(data.draw(draw))
    index = LineIndex(pieces)
    expected = [_longest_by_definition(query, piece) for piece in pieces]
    assert index.lengths(query).tolist() == expected
    match = index.longest(query)
    assert (match.notes if match else 0) == max(expected)


def _as_line(notes: list[tuple[float, int]]) -> Line:
    """Lines of few intervals and times, with chords, so that much matches."""
    beats = np.cumsum([time for time, _ in notes], dtype=float)
    return beats, np.array([pitch for _, pitch in notes], dtype=np.int64)


def _longest_by_definition(one: Line, other: Line) -> int:
    longest = 0
    for first in range(len(one[0])):
        for second in range(len(other[0])):
            most = min(len(one[0]) - first, len(other[0]) - second)
            lengths = (n for n in range(most, RUN, -1) if _is_match(_part(one, first, n), _part(other, second, n)))
            longest = max(longest, next(lengths, 0))
    return longest


def _part(notes: Line, first: int, count: int) -> Line:
    return notes[0][first : first + count], notes[1][first : first + count]


def _is_match(one: Line, other: Line) -> bool:
    times, others = np.diff(one[0]), np.diff(other[0])
    same = np.array_equal(np.diff(one[1]), np.diff(other[1])) and np.array_equal(times > 0, others > 0)
    if not same:
        return False
    ratios, other_ratios = (np.diff(np.log2(each[each > 0])) for each in (times, others))
    return bool((np.abs(ratios - other_ratios) <= RATIO_TOLERANCE).all())


@pytest.mark.parametrize("factor", [1.1, 0.9])
def test_a_rhythm_a_little_out_of_time_is_the_same_and_another_is_not(factor):
    notes = line(np.random.default_rng(3), 12)
    times = np.diff(notes[0])
    times[5] *= factor
    late = np.concatenate([[0], np.cumsum(times)]), notes[1]
    times[5] *= 2
    other = np.concatenate([[0], np.cumsum(times)]), notes[1]
    index = LineIndex([notes])
    assert index.lengths(late).tolist() == [12]
    assert index.lengths(other).tolist() == [6]


def test_what_is_commonest_is_bridged_where_there_is_too_much_of_it(monkeypatch):
    rng = np.random.default_rng(4)
    notes = line(rng)
    notes[1][100:120] = 60
    notes[0][100:121] = notes[0][99] + np.arange(1, 22)
    notes[0][121:] += 40
    monkeypatch.setattr(copying, "PAIRS", 190)
    assert LineIndex([notes]).lengths(notes).tolist() == [200]
    repeated = np.arange(20.0), np.full(20, 60)
    assert LineIndex([repeated]).lengths(repeated).tolist() == [20]
    monkeypatch.setattr(copying, "PAIRS", 10)
    assert LineIndex([repeated]).lengths(repeated).tolist() == [0]


def test_chords_are_heard_from_below_each_pitch_once_and_drums_not_at_all():
    beats = np.array([0.0, 0.01, 0.0, 1.0, 1.0])
    score = score_of((beats, np.array([67, 60, 64, 60, 60])))
    drums = score.notes.replace(track=np.full(5, 1))
    doubled = score.replace(notes=Notes.join([score.notes, drums]))
    for each in (score, doubled):
        found = texture(each)
        assert found[0].tolist() == [0, 0, 0, 1]
        assert found[1].tolist() == [60, 64, 67, 60]


def test_the_melody_is_on_top():
    beats, pitches = np.arange(10.0), np.arange(70, 80)
    both = np.concatenate([beats, beats]), np.concatenate([pitches, pitches - 24])
    assert melody(score_of(both))[1].tolist() == pitches.tolist()


def test_tempo_marks_and_resolution_do_not_matter():
    notes = line(np.random.default_rng(5))
    other = score_of(notes, ticks_per_beat=96, length=10).replace(tempos=Tempos([0, 960], [400_000, 900_000]))
    found = CopyIndex([score_of(notes)]).longest(other)["texture"]
    assert found is not None
    assert found.notes == 200


def test_pieces_without_notes_are_nobodys_copy():
    empty = score_of((np.zeros(0), np.zeros(0, int)))
    full = score_of(line(np.random.default_rng(6)))
    assert CopyIndex([empty, full, empty]).longest(empty) == {"melody": None, "texture": None}
    found = CopyIndex([empty, full, empty]).longest(full)["melody"]
    assert found is not None
    assert found.source == 1
    assert CopyIndex([]).lengths([full])["texture"].tolist() == [0]


def test_a_report_passes_human_music_and_fails_copies():
    rng = np.random.default_rng(7)
    pieces = [score_of(line(rng, 100)) for _ in range(60)]
    index = CopyIndex(pieces[:20])
    human = copying_report(pieces[20:40], pieces[40:], index)
    assert all(report.passed for report in human.values())
    copied = copying_report(pieces[:20], pieces[40:], index)["texture"]
    assert not copied.passed
    assert (copied.generated.median, copied.generated.pieces, copied.share_above.value) == (100, 20, 1)
    assert copied.upper_difference.low > 50


def test_few_copies_in_many_pieces_fail_the_report_by_their_share():
    human = np.random.default_rng(8).integers(6, 12, 300)
    generated = human.copy()
    generated[:60] = 80
    report = compare_lengths(generated, human)
    assert report.median_difference.low <= 0 < report.share_above.low
    assert not report.passed
    assert compare_lengths(human - 1, human).passed


def test_a_report_needs_pieces_of_both_kinds():
    piece = score_of(line(np.random.default_rng(9)))
    with pytest.raises(CorpusError, match="held-out"):
        copying_report([piece], [], CopyIndex([piece]))


def test_pieces_made_of_one_another_are_less_diverse():
    rng = np.random.default_rng(10)
    pieces = [score_of(line(rng, 60)) for _ in range(8)]
    different = self_similarity(pieces)["texture"]
    alike = self_similarity([*pieces[:4], *pieces[:4]])["texture"]
    assert different.value < 1
    assert alike.value == pytest.approx(60 * 8 / 56 + different.value, abs=1)
    assert alike.high > different.high
    with pytest.raises(CorpusError, match="many pieces"):
        self_similarity(pieces[:1])
