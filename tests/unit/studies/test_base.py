from dataclasses import replace

import numpy as np
import pytest

from aurl.music.score import Score, Texts
from aurl.studies import STUDIES
from aurl.studies.base import Annotation
from aurl.utils.errors import UnknownNameError


def annotation(beats, labels):
    return Annotation("chord", "somebody", np.array(beats, float), tuple(labels), np.ones(len(labels)), 8.0)


def test_labels_become_texts_in_ticks():
    texts = annotation([0, 1.5], ["C", "G7"]).texts(Score(ticks_per_beat=96))
    assert texts == Texts([0, 144], [-1, -1], ["chord", "chord"], ["C", "G7"])


def test_of_labels_at_one_tick_the_last_counts():
    texts = annotation([0, 0.1, 3], ["C", "D", "E"]).texts(Score(ticks_per_beat=1))
    assert texts.text.tolist() == ["D", "E"]


def test_no_labels_are_no_texts():
    assert len(annotation([], []).texts(Score())) == 0


def test_labelling_replaces_labels_of_its_kind_only():
    before = Score(texts=Texts([0, 0], [-1, -1], ["chord", "section"], ["F", "A"]), metadata={"title": "T"})
    after = annotation([0], ["C"]).label(before)
    assert after.texts.of("chord").text.tolist() == ["C"]
    assert after.texts.of("section").text.tolist() == ["A"]
    assert after.metadata == {"title": "T", "labels.chord": "detected: somebody"}


def test_labels_in_doubt_are_not_written():
    before = Score(texts=Texts([0], [-1], ["chord"], ["F"]))
    doubtful = replace(annotation([0], ["C"]), doubt="It is a melody alone.")
    assert doubtful.label(before) == before
    assert doubtful.to_dict()["doubt"] == "It is a melody alone."


def test_plain_values_tell_when_and_how_long():
    rows = annotation([0, 6], ["C", "G"]).to_dict()["labels"]
    assert [(row["beat"], row["beats"], row["label"]) for row in rows] == [(0, 6, "C"), (6, 2, "G")]


def test_studies_are_registered_by_name():
    assert {"chords", "chord_templates", "keys", "melody"} <= set(STUDIES.names())
    with pytest.raises(UnknownNameError, match="chords"):
        STUDIES.parse("chord")
