import json

import numpy as np
import pytest

from aurl.data.labels import given_labels, labelled_kinds
from aurl.music.score import KeySignatures, Notes, Score, Texts, Track


def music(*chords, names=("piano",)):
    """Two beats of each chord on the last track, at 480 ticks to the beat."""
    rows = [(number * 960, 960, pitch) for number, pitches in enumerate(chords) for pitch in pitches]
    onset, duration, pitch = np.array(rows).T
    notes = Notes(onset, duration, pitch, np.full(len(rows), 80), np.full(len(rows), len(names) - 1))
    return Score(notes=notes, tracks=tuple(Track(name=name) for name in names))


C, F, G = (60, 64, 67), (60, 65, 69), (59, 62, 67)
CADENCE = music(C, F, G, C)


def lead_sheet(*names, beats=2.0, shift=0.0):
    roots = {"C": 0, "F": 5, "G": 7}
    rows = [
        [n * beats + shift, (n + 1) * beats + shift, name, roots[name], "major", None] for n, name in enumerate(names)
    ]
    return {".chords.json": json.dumps({"chords": rows}).encode()}


def chords_of(score):
    table = score.texts.of("chord")
    return [*zip(table.time.tolist(), table.text, strict=True)]


def test_labels_beside_the_music_become_rows_of_texts_that_say_so():
    score, refusals = given_labels(CADENCE, "a.mid", lead_sheet("C", "F", "G", "C"))
    assert chords_of(score) == [(0, "C"), (960, "F"), (1920, "G"), (2880, "C"), (3840, "N.C.")]
    assert set(score.texts.track) == {-1}
    assert score.metadata["labels.chord"] == "given: .chords.json"
    assert refusals == []
    assert (score.notes, labelled_kinds(score)) == (CADENCE.notes, {"chord"})


def test_music_without_labels_stays_as_it_is():
    assert given_labels(CADENCE, "a.mid", {}) == (CADENCE, [])
    assert labelled_kinds(CADENCE) == set()


@pytest.mark.parametrize(
    ("companions", "reason"),
    [
        ({".chords.json": b"not json"}, "damaged JSON"),
        (lead_sheet(*"CFGC", beats=8.0), "labels of other length than the music"),
        (lead_sheet(*"CFGC", shift=1000.0), "labels of other length than the music"),
        (lead_sheet(*"GCCG"), "chords of other music"),
        ({".meta.json": b'{"key": "Ador"}'}, "neither a major nor a minor key"),
        ({".struct1.txt": b"A1B1"}, "phrases without the .dai_melody.txt"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_a_reason(companions, reason):
    score, refusals = given_labels(CADENCE, "a.mid", companions)
    assert len(score.texts) == 0
    assert [refused.where for refused in refusals] == [*companions]
    assert reason in refusals[0].reason


def test_the_first_reader_that_fits_counts():
    beside = lead_sheet("G", "C", "C", "G") | {".rn.txt": b"m1 C: I b3 IV\nm2 V b3 I", ".meta.json": b'{"key": "G"}'}
    score, refusals = given_labels(CADENCE, "a.mid", beside)
    assert score.metadata == {"labels.chord": "given: .rn.txt", "labels.key": "given: .rn.txt"}
    assert [text for _, text in chords_of(score)] == ["C", "F", "G", "C", "N.C."]
    assert score.texts.of("key").text.tolist() == ["C major"]
    assert [refused.where for refused in refusals] == [".chords.json"]


def test_chords_in_the_file_win_and_what_is_no_chord_is_counted():
    texts = Texts([0, 960, 1920], [-1] * 3, ["chord"] * 3, ["Cmaj", "well", "G:7"])
    score, refusals = given_labels(CADENCE.replace(texts=texts), "a.mid", lead_sheet("C", "F", "G", "C"))
    assert chords_of(score) == [(0, "C"), (960, "N.C."), (1920, "G7")]
    assert score.metadata["labels.chord"] == "given: the file"
    assert [(refused.where, refused.count) for refused in refusals] == [("the file", 1)]


def test_the_expert_chords_of_pop909_are_labels_and_their_track_goes():
    melody = music((72,), (72,), (74,), (76,))
    both = music(C, F, G, C, names=("piano", "chords"))
    score = both.replace(notes=Notes.join([melody.notes, both.notes]), key_signatures=KeySignatures([0], [0], [False]))
    labelled, refusals = given_labels(score, "set/001.CL.mid", {})
    assert (labelled.tracks, len(labelled.notes)) == ((Track(name="piano"),), 4)
    assert [text for _, text in chords_of(labelled)] == ["C", "F/C", "G/B", "C", "N.C."]
    assert labelled.texts.of("key").text.tolist() == ["C major"]
    assert labelled.metadata["labels.chord"] == "given: track of .cl.mid"
    assert refusals == []
    assert len(given_labels(score, "set/001.mid", {})[0].tracks) == 2  # a track called chords is music elsewhere
    assert "not music and a track of chords" in given_labels(melody, "001.cl.mid", {})[1][0].reason
