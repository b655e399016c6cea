"""What holds for every study that names chords or keys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.music.chords import Chord
from aurl.music.score import Notes, Tempos
from aurl.music.theory import key_name, parse_key
from aurl.music.transforms import transpose
from aurl.studies import STUDIES
from studies_music import odd_scores, random_score

NAMES = ("chords", "chord_templates", "keys")
study_of = {name: STUDIES.build(STUDIES.parse(name)) for name in (*NAMES, "melody")}


def moved(label, kind, semitones):
    if kind == "chord":
        return Chord.parse(label).transposed(semitones).symbol
    tonic, is_minor = parse_key(label)
    return key_name((tonic + semitones) % 12, is_minor)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), semitones=st.integers(-30, 40))
def test_a_transposed_score_is_labelled_the_same_transposed(name, seed, semitones):
    score = random_score(seed)
    before = study_of[name].analyse(score)
    after = study_of[name].analyse(transpose(score, semitones))
    assert after.labels == tuple(moved(label, before.kind, semitones) for label in before.labels)
    assert np.array_equal(after.beats, before.beats)
    assert np.array_equal(after.confidence, before.confidence)


@pytest.mark.parametrize("name", [*NAMES, "melody"])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.integers(2, 20))
def test_resolution_and_tempo_change_nothing(name, seed, factor):
    score = random_score(seed)
    columns = score.notes.columns()
    finer = score.replace(
        ticks_per_beat=score.ticks_per_beat * factor,
        notes=Notes(**columns | {k: columns[k].astype(int) * factor for k in ("onset", "duration")}),
        tempos=Tempos([0, 500], [300_000, 900_000]),
    )
    before, after = study_of[name].analyse(score), study_of[name].analyse(finer)
    assert (after.labels, after.beats.tolist()) == (before.labels, before.beats.tolist())


@pytest.mark.parametrize("name", [*NAMES, "melody"])
def test_drums_are_not_heard(name):
    with_drums = random_score(3, drums=True)
    without = with_drums.replace(notes=with_drums.notes.take(with_drums.is_pitched))
    assert study_of[name].analyse(with_drums).labels == study_of[name].analyse(without).labels


@pytest.mark.parametrize("name", [*NAMES, "melody"])
@pytest.mark.parametrize("odd", [*odd_scores()])
def test_any_score_will_do(name, odd):
    score = odd_scores()[odd]
    annotation = study_of[name].analyse(score)
    assert bool(len(annotation)) == bool(score.is_pitched.any())
    assert (np.diff(annotation.beats) >= 0).all()
    assert ((annotation.confidence >= 0) & (annotation.confidence <= 1)).all()
    assert (annotation.durations >= 0).all()
    assert len(annotation.label(score).texts) <= len(annotation)


@pytest.mark.parametrize("name", [*NAMES, "melody"])
def test_hearing_twice_is_hearing_the_same(name):
    score = random_score(1)
    assert study_of[name].analyse(score).to_dict() == study_of[name].analyse(score).to_dict()
    assert study_of[name].summarise([study_of[name].analyse(score)])["pieces"] == 1


@pytest.mark.parametrize("name", [*NAMES, "melody"])
def test_a_summary_of_nothing_is_a_summary(name):
    assert study_of[name].summarise([])["pieces"] == 0
