"""Bar lines: whole bars of known metres, and where ticks lie among them."""

import numpy as np
import pytest

from aurl.data.tokenizers.note_bars import BarLines, Bars
from aurl.data.tokenizers.note_vocabulary import METRES
from aurl.music.score import Score, TimeSignatures

COMMON, WALTZ = METRES.index((4, 4)), METRES.index((3, 4))


def lines(*metres, last=480 * 40, divisions=1):
    columns = (np.array(column) for column in zip(*metres, strict=True))
    return BarLines(Score(time_signatures=TimeSignatures(*columns)), last, divisions=divisions)


def test_bars_are_as_many_as_begin_before_the_end():
    bars = Bars.of(np.array([COMMON, WALTZ, COMMON]))
    assert bars.starts.tolist() == [0, 96, 168, 264]
    assert bars.fitted(169).metres.tolist() == [COMMON, WALTZ, COMMON]
    assert bars.fitted(168).metres.tolist() == [COMMON, WALTZ]
    assert bars.fitted(0).metres.tolist() == [COMMON]
    assert bars.fitted(265 + 96).metres.tolist() == [COMMON, WALTZ, COMMON, COMMON, COMMON]


def test_ticks_of_a_plain_score_are_places_in_quarters_of_a_step():
    assert lines((0, 4, 4)).quarter_steps(np.array([0, 480, 489, 491])).tolist() == [0, 96, 96, 100]
    assert lines((0, 4, 4), divisions=4).quarter_steps(np.array([484, 486])).tolist() == [97, 97]


def test_after_a_filled_bar_positions_are_kept():
    score = lines((0, 5, 32), (300, 4, 4))  # a bar of 300 ticks, filled up to 3/16
    assert score.quarter_steps(np.array([0, 200, 300, 780])).tolist() == [0, 40, 72, 168]
    assert score.changed == 1


def test_what_is_rounded_up_to_a_cut_bar_line_belongs_to_the_next_bar():
    score = lines((0, 4, 4), (965, 3, 4))  # cut after 2 quarters and 5 ticks
    places = score.quarter_steps(np.array([960, 964, 965]))
    assert places.tolist() == [4 * score.bars.starts[1]] * 3


@pytest.mark.parametrize(("metre", "parts"), [((10, 4), 2), ((17, 16), 1), ((3, 1), 2), ((255, 4), 32)])
def test_long_bars_are_divided_equally(metre, parts):
    score = lines((0, *metre), last=0)
    assert len(score.bars.metres) == parts
    assert len(set(score.bars.metres.tolist())) == 1
