"""A voice of one bar as note values, tuplets and beams."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aurl.music.engraving.metre import IN_TUPLET, PLAIN, metre, metre_length
from aurl.music.engraving.rhythm import BEAMS, Segment, notate


def bar(*cuts, signature=(4, 4), silent=()):
    return notate([Segment(a, b, None if a in silent else a) for a, b in pairwise(cuts)], metre(*signature))


def values(pieces):
    return [piece.value.name + "." * piece.value.dots + "3" * (piece.tuplet is not None) for piece in pieces]


@given(
    st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8), (5, 4), (2, 2), (12, 8), (7, 16)]),
    st.lists(st.tuples(st.integers(0, 191), st.booleans()), max_size=12),
)
def test_whatever_is_played_is_written_exactly(signature, cuts):
    length = metre_length(*signature)
    kinds = {place % length: sounds for place, sounds in cuts} | {0: True}
    places = [*sorted(kinds), length]
    segments = [Segment(a, b, a if kinds[a] else None) for a, b in pairwise(places)]
    pieces = notate(segments, metre(*signature))
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == length
    for piece in pieces:
        assert (IN_TUPLET if piece.tuplet else PLAIN)[piece.end - piece.start] == piece.value
        inside = [segment for segment in segments if segment.start <= piece.start and piece.end <= segment.end]
        assert [segment.chord for segment in inside] == [piece.chord]
    tuplets = {piece.tuplet for piece in pieces if piece.tuplet}
    assert sum(piece.opens for piece in pieces) == sum(piece.closes for piece in pieces) == len(tuplets)
    for tuplet in tuplets:
        held = [piece for piece in pieces if piece.tuplet == tuplet]
        assert (held[0].start, held[-1].end) == (tuplet.start, tuplet.start + tuplet.length)
        assert held[0].opens
        assert held[-1].closes


@given(st.lists(st.integers(1, 95), max_size=12))
def test_beams_open_and_close(cuts):
    open_beams = set()
    for piece in bar(*sorted({0, 96, *cuts})):
        for level, kind in enumerate(piece.beams):
            assert (level in open_beams) == (kind in ("continue", "end"))
            if kind == "begin":
                open_beams.add(level)
            if kind == "end":
                open_beams.remove(level)
        assert len(piece.beams) in (0, BEAMS.get(piece.value.name, 0))
    assert not open_beams


def test_triplets_of_each_size():
    assert values(bar(0, 8, 16, 24, 96)) == ["eighth3"] * 3 + ["half."]
    assert values(bar(0, 16, 32, 48, 96)) == ["quarter3"] * 3 + ["half"]
    assert values(bar(0, 32, 64, 96)) == ["half3"] * 3
    assert values(bar(0, 4, 8, 12, 24, 48, 96)) == ["16th3"] * 3 + ["eighth", "quarter", "half"]
    assert values(bar(0, 16, 24, 48, 96)) == ["quarter3", "eighth3", "quarter", "half"]


def test_a_triplet_is_bracketed_unless_one_beam_shows_it():
    beamed, quarters = bar(0, 8, 16, 24, 96), bar(0, 16, 32, 48, 96)
    assert not beamed[0].is_bracketed
    assert quarters[0].is_bracketed
    assert bar(0, 8, 16, 24, 96, silent={8})[0].is_bracketed


def beams(pieces):
    return ["/".join(piece.beams) for piece in pieces]


def test_eighths_are_beamed_by_half_bars_and_shorter_notes_by_beats():
    assert beams(bar(*range(0, 97, 12))) == ["begin", "continue", "continue", "end"] * 2
    assert beams(bar(0, 12, 24, 30, 36, 48, 96)) == ["begin", "end", "begin/begin", "continue/end", "end", ""]
    assert beams(bar(*range(0, 73, 12), signature=(6, 8))) == ["begin", "continue", "end"] * 2


def test_hooks_point_to_the_beat_they_belong_to():
    assert beams(bar(0, 18, 24, 48, 96)) == ["begin", "end/backward hook", "", ""]
    assert beams(bar(0, 6, 24, 48, 96)) == ["begin/forward hook", "end", "", ""]


def test_rests_part_beams():
    assert beams(bar(0, 12, 24, 36, 48, 96, silent={12})) == ["", "", "begin", "end", ""]


def test_a_beam_does_not_reach_into_a_tuplet_with_rests():
    pieces = bar(0, 2, 3, 12, 24, 96, silent={0})
    assert values(pieces) == ["32nd3", "64th3", "16th.", "eighth", "half."]
    assert beams(pieces) == ["", "", "begin/forward hook", "end", ""]
