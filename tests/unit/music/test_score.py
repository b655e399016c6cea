import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.score import WHOLE_SCORE, Controls, Notes, PitchBends, Score, Tempos, Texts, TimeSignatures, Track


def notes(*rows):
    onset, duration, pitch, velocity, track = np.array(rows).reshape(-1, 5).T
    return Notes(onset, duration, pitch, velocity, track)


def pedal(*rows, track=0):
    time, value = np.array(rows).T
    return Controls(time, np.full(len(rows), track), np.full(len(rows), 64), value)


def row_lists(table):
    return [column.tolist() for column in table.columns().values()]


def test_notes_are_sorted_when_a_score_is_built():
    table = notes((480, 1, 60, 90, 0), (0, 1, 64, 90, 1), (0, 1, 67, 90, 0), (0, 1, 60, 90, 0))
    score = Score(notes=table, tracks=(Track(), Track()))
    assert list(zip(score.notes.onset, score.notes.track, score.notes.pitch, strict=True)) == [
        (0, 0, 60), (0, 0, 67), (0, 1, 64), (480, 0, 60),
    ]  # fmt: skip


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 5), max_size=20), st.randoms())
def test_scores_with_the_same_notes_in_any_order_are_equal(rows, random):
    tracks = (Track(),) * 4
    shuffled = random.sample(rows, len(rows))
    assert Score(notes=notes(*rows), tracks=tracks) == Score(notes=notes(*shuffled), tracks=tracks)


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), *[st.integers(0, 127)] * 3)))
def test_sorting_is_lexicographic_however_wide_the_columns(rows):
    table = notes(*rows).sorted()
    keys = list(zip(table.onset, table.track, table.pitch, table.duration, table.velocity, strict=True))
    assert keys == sorted(keys)


def test_controls_keep_their_order_within_a_tick():
    """A registered parameter is selected by controls 101 and 100 and set by 6: another order means something else."""
    table = Controls(np.zeros(3), np.zeros(3), np.array([101, 100, 6]), np.array([0, 0, 12]))
    assert Score(tracks=(Track(),), controls=table).controls.number.tolist() == [101, 100, 6]


def test_a_different_value_anywhere_makes_scores_unequal():
    score = Score(notes=notes((0, 1, 60, 90, 0)), tracks=(Track(),))
    assert score != score.replace(notes=notes((0, 1, 60, 91, 0)))
    assert score != score.replace(tracks=(Track(5),))
    assert score != score.replace(ticks_per_beat=96)
    assert score != score.replace(tempos=Tempos(np.array([0]), np.array([1])))
    assert score == score.replace(metadata={"title": "x"})
    assert score != "score"
    assert score.notes != "notes"


def test_texts_are_compared_by_value():
    def score(text):
        return Score(texts=Texts([0], [WHOLE_SCORE], np.array(["marker"], object), np.array([text], object)))

    assert score("A") == score("".join(["A"]))
    assert score("A") != score("B")


def test_scores_survive_pickling():
    score = Score(notes=notes((0, 1, 60, 90, 0)), tracks=(Track(3, name="x"),))
    assert pickle.loads(pickle.dumps(score)) == score


def test_what_is_replaced_is_sorted_and_checked():
    score = Score(notes=notes((0, 1, 60, 90, 0), (1, 1, 61, 90, 0)), tracks=(Track(),))
    assert score.replace(notes=score.notes.replace(onset=[5, 2])).notes.onset.tolist() == [2, 5]
    with pytest.raises(ValueError, match="beyond the 1 there are"):
        score.replace(notes=score.notes.replace(track=[0, 1]))
    with pytest.raises(ValueError, match="beyond the 0 there are"):
        score.replace(tracks=())
    with pytest.raises(ValueError, match=r"Notes.pitch has 1 values, expected 2"):
        score.notes.replace(pitch=[60])
    with pytest.raises(ValueError, match=r"holds 60\.\.128, beyond 0\.\.127"):
        score.notes.replace(pitch=[60, 128])
    with pytest.raises(TypeError, match="a Score has no note"):
        score.replace(note=score.notes)


def test_values_beyond_a_column_are_refused():
    with pytest.raises(ValueError, match="'pitch' holds 300"):
        notes((0, 1, 300, 90, 0))


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"Tempos.microseconds_per_beat has 1 values, expected 2"):
        Tempos([0, 1], [5])


def test_columns_have_one_dimension():
    with pytest.raises(ValueError, match="one dimension"):
        Tempos([[0]], [1])


@pytest.mark.parametrize(
    "tables",
    [
        {"notes": notes((0, 1, 60, 90, 1))},
        {"controls": pedal((0, 127), track=1)},
        {"pitch_bends": PitchBends([0], [1], [0])},
        {"texts": Texts([0], [1], ["lyric"], ["la"])},
    ],
)
def test_rows_of_a_track_that_is_not_there_are_refused(tables):
    with pytest.raises(ValueError, match="beyond the 1 there are"):
        Score(tracks=(Track(),), **tables)


def test_tables_join_and_take_rows():
    table = Notes.join([notes((0, 1, 60, 90, 0)), notes((5, 1, 62, 90, 0))])
    assert table.take(table.pitch > 60) == notes((5, 1, 62, 90, 0))
    assert len(Notes.join([])) == 0


def test_pedals_are_spans_between_down_and_up():
    score = Score(tracks=(Track(),), controls=pedal((0, 127), (10, 100), (100, 63), (150, 0), (200, 64), (260, 0)))
    assert row_lists(score.pedals) == [[0, 200], [100, 60], [0, 0]]


def test_a_pedal_never_lifted_lasts_to_the_end():
    score = Score(notes=notes((0, 480, 60, 90, 0)), tracks=(Track(),), controls=pedal((100, 127)))
    assert row_lists(score.pedals) == [[100], [380], [0]]


def test_each_track_has_its_own_pedal():
    controls = Controls.join([pedal((0, 127), (100, 0), track=1), pedal((50, 127), (80, 0))])
    score = Score(tracks=(Track(), Track()), controls=controls)
    assert row_lists(score.pedals) == [[0, 50], [100, 30], [1, 0]]


def test_a_score_without_notes_lasts_no_time():
    assert (Score().end_ticks, Score().duration_seconds, len(Score().pedals)) == (0, 0.0, 0)


def test_a_score_knows_its_time():
    score = Score(
        notes=notes((480, 480, 60, 90, 0)),
        tracks=(Track(),),
        tempos=Tempos([0], [1_000_000]),
        time_signatures=TimeSignatures([0], [2], [4]),
    )
    assert score.duration_seconds == 2.0
    assert score.metre_map.ticks_to_bar_beat(960)[0] == 1
    assert score.tempos.bpm.tolist() == [60.0]


@pytest.mark.parametrize(("pitch", "velocity"), [(128, 64), (60, 200)])
def test_notes_beyond_what_midi_holds_are_refused(pitch, velocity):
    with pytest.raises(ValueError, match=r"beyond 0\.\.127"):
        Notes([0], [1], [pitch], [velocity], [0])


@pytest.mark.parametrize("program", [-1, 128])
def test_a_program_beyond_general_midi_is_refused(program):
    with pytest.raises(ValueError, match="program"):
        Track(program)


def test_drums_are_not_pitched():
    notes = Notes([0, 0, 1], [1, 1, 1], [60, 36, 62], [64, 64, 64], [0, 1, 0])
    assert Score(notes=notes, tracks=(Track(), Track(is_drum=True))).is_pitched.tolist() == [True, False, True]
    assert Score(notes=notes, tracks=(Track(), Track())).is_pitched.tolist() == [True, True, True]
