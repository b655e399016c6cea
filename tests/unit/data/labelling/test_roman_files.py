import json

import pytest

from aurl.data.labelling import read_beethoven, read_dezrann, read_romantext
from aurl.utils.errors import CorpusError

ANALYSIS = """\
Composer: Nobody
Time Signature: 3/4

m0 b3 a: V
m1 i b3 V65
m2 b1 C: V7 ||
Form: B
m3-4 = m1-2
Time Signature: 6/8
m5 I b2 V
m7 I
"""


def romantext(text):
    return read_romantext(text.encode())


def test_romantext_is_placed_by_its_bars():
    given = romantext(ANALYSIS)
    assert given.spans["chord"] == [
        (0.0, 1.0, "E"), (1.0, 3.0, "Am"), (3.0, 4.0, "E7/Ab"), (4.0, 7.0, "G7"), (7.0, 9.0, "Am"),
        (9.0, 10.0, "E7/Ab"), (10.0, 13.0, "G7"), (13.0, 14.5, "C"), (14.5, 19.0, "G"), (19.0, 22.0, "C"),
    ]  # fmt: skip
    assert given.spans["key"] == [
        (0.0, 4.0, "A minor"), (4.0, 7.0, "C major"), (7.0, 10.0, "A minor"), (10.0, 22.0, "C major"),
    ]  # fmt: skip


def test_a_few_numerals_that_are_not_understood_are_counted():
    given = romantext("m1 C: " + " ".join(f"b{1 + n / 10} V" for n in range(20)) + " b4 Xyz")
    assert given.unknown == {"Xyz": 1}
    assert given.spans["chord"][-1][2] == "N.C."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no Roman numerals"),
        ("m1 I V", "without a key"),
        ("m1 C: XX YY", "too many chords that cannot be read"),
        ("Time Signature: often\nm1 C: I", "a metre"),
        ("Time Signature: 0/4\nm1 C: I", "a metre"),
        ("m99999 C: I", "a bar beyond"),
        ("m1 C:", "no Roman numerals"),
        (f"m{'9' * 5000} C: I", "not RomanText"),
        (f"Time Signature: {'9' * 400}/4\nm1 C: I", "not RomanText"),
        (f"m1 C: I b{'9' * 400} V", "not RomanText"),
        ("m1 C:" + " I" * 1000 + "".join(f"\nm{bar}=m1" for bar in range(2, 200)), "too many Roman numerals"),
    ],
)
def test_an_analysis_that_would_have_to_be_guessed_is_refused(text, problem):
    with pytest.raises(CorpusError, match=problem):
        romantext(text)


def test_dezrann_labels_are_read_in_their_keys():
    labels = [
        {"type": "Tonality", "start": 0, "duration": 8, "tag": "E minor"},
        {"type": "Harmony", "start": 0.5, "duration": 3.5, "tag": "V7"},
        {"type": "Harmony", "start": 4, "duration": 4, "tag": "i"},
        {"type": "Phrase", "start": 0, "duration": 8},
    ]
    given = read_dezrann(json.dumps({"labels": labels}).encode())
    assert given.spans["chord"] == [(0.5, 4.0, "B7"), (4.0, 8.0, "Em")]
    assert given.spans["key"] == [(0.0, 8.0, "E minor")]


def test_beethoven_labels_are_read_in_their_keys():
    rows = [
        [0, 2, "E-", 1.0, "M", 0.0, "I"],
        [2, 4, "E-", "7/5", "d7", 1.0, "viio65/V"],
        [4, 6, "E-", "+4", "d", 0.0, "#ivo"],
        [6, 8, "c", "5", "D7", 3.0, "V42"],
        [8, 9, "c", "6", "a6", 0.0, "Ger"],
        [9, 10, "c", 6.0, "M", 1.0, "VI6"],
        [10, 12, "f+", "5/-2", "M", 0.0, "V/bII"],
    ]
    given = read_beethoven(json.dumps({"chords": rows}).encode())
    assert [text for _, _, text in given.spans["chord"]] == ["Eb", "Adim7/C", "Adim", "G7/F", "Ab7", "Ab/C", "D"]
    assert given.spans["key"] == [(0.0, 6.0, "Eb major"), (6.0, 10.0, "C minor"), (10.0, 12.0, "F# minor")]


@pytest.mark.parametrize("read", [read_dezrann, read_beethoven])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"labels": [1], "chords": [1]}', b"[" * 9999])
def test_damaged_json_is_refused(read, content):
    with pytest.raises(CorpusError):
        read(content)


@pytest.mark.parametrize(
    "row", [[0, 1, "H", 1, "M", 0, "I"], [0, 1, "C", 1, "sus", 0, "I"], [-1, 1, "C", 1, "M", 0, "I"]]
)
def test_a_beethoven_row_that_means_nothing_is_refused(row):
    with pytest.raises(CorpusError):
        read_beethoven(json.dumps({"chords": [row]}).encode())
