import json

import pytest

from aurl.data.labelling import read_key, read_lead_sheet
from aurl.utils.errors import CorpusError


def lead_sheet(*rows):
    return read_lead_sheet(json.dumps({"unit": "quarter", "chords": rows}).encode())


def test_chords_are_read_and_gaps_are_no_chord():
    rows = [[1, 3, "Bb", 10, "major", None], [3, 4, "C", 0, "minor-seventh", 7], [6, 8, "F", 5, "dominant", None]]
    assert lead_sheet(*rows).spans["chord"] == [
        (1.0, 3.0, "Bb"), (3.0, 4.0, "Cm7/G"), (4.0, 6.0, "N.C."), (6.0, 8.0, "F7"),
    ]  # fmt: skip


def test_a_kind_of_chord_that_is_unknown_is_counted():
    rows = [[n, n + 1, "C", 0, "major", None] for n in range(20)]
    given = lead_sheet(*rows, [20, 21, "C", 0, "Tristan", None])
    assert given.unknown == {"Tristan": 1}
    with pytest.raises(CorpusError, match="too many chords that cannot be read"):
        lead_sheet([0, 1, "C", 0, "Tristan", None])


@pytest.mark.parametrize("row", [[0], [0, 1, "C", "x", "major", None], [float("nan"), 1, "C", 0, "major", None], "C"])
def test_a_row_of_another_shape_is_refused(row):
    with pytest.raises(CorpusError):
        lead_sheet(row)


@pytest.mark.parametrize(
    ("text", "key"),
    [("Em", "E minor"), ("Bb", "Bb major"), ("AMin", "A minor"), ("GM", "G major"), ("D Major", "D major")],
)
def test_keys_are_read_as_abc_writes_them(text, key):
    ((start, _, found),) = read_key(json.dumps({"key": text}).encode()).spans["key"]
    assert (start, found) == (0.0, key)


@pytest.mark.parametrize("text", ["Ador", "Hp", "D Mixolydian", "G % this must be a typo"])
def test_a_mode_is_no_key_of_ours(text):
    with pytest.raises(CorpusError, match="neither a major nor a minor key"):
        read_key(json.dumps({"key": text}).encode())


def test_a_tune_without_a_key_has_no_labels():
    assert not read_key(b'{"key": null}').spans
    with pytest.raises(CorpusError):
        read_key(b"[]")
