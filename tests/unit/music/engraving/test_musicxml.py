"""The document: every note back, and what readers expect around the notes."""

import zipfile
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings

from aurl.music.engraving import musicxml_text, write_musicxml
from aurl.music.engraving.page import Page
from aurl.music.engraving.staves import make_parts
from aurl.music.io import read_music
from aurl.music.score import Controls, KeySignatures, Notes, Score, Tempos, Texts, TimeSignatures, Track
from aurl.utils.errors import ConfigError
from notation_reader import ReadNote, read_notes
from random_scores import scores

STEP = 20
PIANO = Track(0, name="Piano")


def score_of(*rows, tracks=(PIANO,), texts=(), **tables):
    """Rows of onset and length in steps, pitch, velocity, track; texts of step, track, kind, text."""
    onset, length, *others = np.array(rows).reshape(-1, 5).T
    times, owners, kinds, words = zip(*texts, strict=True) if texts else ((), (), (), ())
    return Score(
        24 * STEP,
        Notes(onset * STEP, length * STEP, *others),
        tracks,
        texts=Texts(np.array(times, int) * STEP, owners, np.array(kinds, object), np.array(words, object)),
        **tables,
    )


def root_of(score):
    return ElementTree.fromstring(musicxml_text(score))


def on_grid(score):
    grid = score.ticks_per_beat // 24
    notes = score.notes
    return score.replace(
        notes=notes.replace(onset=notes.onset // grid * grid, duration=(notes.duration // grid + 1) * grid)
    )


@settings(max_examples=25)
@given(scores(most_notes=40))
def test_every_note_is_in_the_document_with_its_place_length_pitch_and_velocity(score):
    score = on_grid(score)
    if not len(score.notes):
        return
    page = Page.of(score)
    part_of = {track: number for number, part in enumerate(make_parts(page)) for track in part.tracks}
    notes = score.notes
    wanted = Counter(
        ReadNote(part_of[int(track)], int(onset) - page.bars[0].start, int(end - onset), int(pitch), int(velocity))
        for onset, end, pitch, velocity, track in zip(
            page.onset, page.end, notes.pitch, notes.velocity, notes.track, strict=True
        )
    )
    assert read_notes(musicxml_text(score)) == wanted


@settings(max_examples=15)
@given(scores(most_notes=10))
def test_bars_of_every_voice_are_full(score):
    score = on_grid(score)
    if not len(score.notes):
        return
    lengths = [bar.length for bar in Page.of(score).bars]
    for part in root_of(score).findall("part"):
        furthest = []
        for measure in part:
            place, ends = 0, [0]
            for element in measure:
                length = int(element.findtext("duration", "0"))
                if element.find("chord") is None:
                    place += -length if element.tag == "backup" else length
                ends.append(place)
            furthest.append(max(ends))
        assert furthest == lengths


def test_the_same_score_gives_the_same_bytes(tmp_path):
    score = score_of((0, 24, 60, 64, 0))
    for suffix in (".musicxml", ".mxl"):
        write_musicxml(score, tmp_path / f"a{suffix}")
        write_musicxml(score, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.mxl") as archive:
        assert archive.read("score.musicxml") == (tmp_path / "a.musicxml").read_bytes()
        assert b'full-path="score.musicxml"' in archive.read("META-INF/container.xml")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must end in"):
        write_musicxml(score_of((0, 24, 60, 64, 0)), tmp_path / "a.mid")


def test_instruments_are_named_and_numbered():
    tracks = (Track(40, name="Solo"), Track(0, True), Track(73))
    root = root_of(
        score_of((0, 24, 76, 64, 0), (0, 24, 36, 64, 1), (0, 24, 42, 64, 1), (0, 24, 80, 64, 2), tracks=tracks)
    )
    assert [name.text for name in root.iter("part-name")] == ["Solo", "Drums", "Flute"]
    assert [name.text for name in root.iter("instrument-name")] == ["Solo", "Bass Drum 1", "Closed Hi-Hat", "Flute"]
    assert [element.text for element in root.iter("midi-program")] == ["41", "1", "1", "74"]
    assert [element.text for element in root.iter("midi-channel")] == ["1", "10", "10", "3"]
    assert [element.text for element in root.iter("midi-unpitched")] == ["37", "43"]
    assert [element.text for element in root.iter("notehead")] == ["x"]


def test_who_wrote_it_and_what_made_it_are_told():
    score = score_of((0, 24, 60, 64, 0), metadata={"title": "A <b>\x07", "composer": "Clara", "provenance": "seed 3"})
    root = root_of(score)
    assert root.findtext("work/work-title") == "A <b>"
    assert root.findtext("identification/creator[@type='composer']") == "Clara"
    assert root.findtext("identification/encoding/software") == "Aurl"
    assert root.findtext("identification/miscellaneous/miscellaneous-field[@name='provenance']") == "seed 3"
    assert [words.text for words in root.iter("credit-words")] == ["A <b>", "Clara"]


def accidentals(score):
    return [note.findtext("accidental") for note in root_of(score).iter("note") if note.find("pitch") is not None]


def test_accidentals_hold_to_the_bar_line():
    score = score_of(*((24 * n, 24, pitch, 64, 0) for n, pitch in enumerate([67, 66, 66, 67, 66, 65, 64, 65])))
    assert accidentals(score.replace(key_signatures=KeySignatures([0], [0], [False]))) == [
        None, "sharp", None, None, "sharp", "natural", None, None,
    ]  # fmt: skip
    assert accidentals(score.replace(key_signatures=KeySignatures([0], [1], [False]))) == [
        None, None, None, None, None, "natural", None, None,
    ]  # fmt: skip


def test_a_tied_note_needs_no_second_accidental_but_the_next_one_does():
    score = score_of((72, 48, 66, 64, 0), (120, 24, 66, 64, 0), key_signatures=KeySignatures([0], [0], [False]))
    assert accidentals(score) == ["sharp", None, "sharp"]


def test_key_labels_become_signatures_at_the_nearest_bar_line():
    root = root_of(score_of((0, 300, 60, 64, 0), texts=[(0, -1, "key", "A minor"), (100, -1, "key", "D major")]))
    assert [(e.findtext("fifths"), e.findtext("mode")) for e in root.iter("key")] == [("0", "minor"), ("2", "major")]
    assert root.findall("part/measure")[1].find("attributes/key") is not None


def test_tempos_are_printed_where_they_change_clearly_and_always_sounded():
    score = score_of((0, 400, 60, 64, 0), tempos=Tempos([0, 96 * STEP, 192 * STEP], [500_000, 510_000, 400_000]))
    root = root_of(score)
    assert [element.text for element in root.iter("per-minute")] == ["120", "150"]
    assert [element.get("tempo") for element in root.iter("sound")] == ["120", "117.647", "150"]


@pytest.mark.parametrize(
    ("metre", "unit", "dots", "count"),
    [((6, 8), "quarter", 1, "80"), ((2, 2), "half", 0, "60"), ((3, 4), "quarter", 0, "120")],
)
def test_tempos_count_the_beat_of_the_metre(metre, unit, dots, count):
    root = root_of(score_of((0, 24, 60, 64, 0), time_signatures=TimeSignatures([0], *[[n] for n in metre])))
    metronome = next(root.iter("metronome"))
    assert metronome.findtext("beat-unit") == unit
    assert len(metronome.findall("beat-unit-dot")) == dots
    assert metronome.findtext("per-minute") == count


def test_chords_are_spelled_in_the_key_and_stand_where_they_change():
    texts = [
        (0, -1, "key", "F minor"),
        (0, -1, "chord", "C#maj7/F"),
        (30, -1, "chord", "N.C."),
        (48, -1, "chord", "odd"),
    ]
    harmonies = list(root_of(score_of((0, 96, 60, 64, 0), texts=texts)).iter("harmony"))
    first, none = harmonies
    assert (first.findtext("root/root-step"), first.findtext("root/root-alter")) == ("D", "-1")
    assert (first.findtext("kind"), first.findtext("bass/bass-step")) == ("major-seventh", "F")
    assert (none.findtext("kind"), none.find("kind").get("text"), none.findtext("offset")) == ("none", "N.C.", "30")


def test_sections_markers_and_words_are_written():
    texts = [(0, -1, "section", "A"), (24, -1, "marker", "slower"), (24, 0, "lyric", "la")]
    root = root_of(score_of((0, 24, 60, 64, 0), (24, 72, 62, 64, 0), texts=texts))
    assert next(root.iter("rehearsal")).text == "A"
    assert next(root.iter("words")).text == "slower"
    notes = [note for note in root.iter("note") if note.find("pitch") is not None]
    assert [note.findtext("lyric/text") for note in notes] == [None, "la"]


def test_pedals_start_and_stop():
    controls = Controls(np.array([0, 48, 48, 400]) * STEP, [0] * 4, [64] * 4, [127, 0, 127, 0])
    pedals = [e.get("type") for e in root_of(score_of((0, 96, 60, 64, 0), controls=controls)).iter("pedal")]
    assert pedals == ["start", "stop", "start", "stop"]


def test_dynamics_are_those_of_phrases():
    rows = [(96 * n, 96, 60, 50 if n < 4 else 52 if n < 8 else 100, 0) for n in range(12)]
    assert [element[0].tag for element in root_of(score_of(*rows)).iter("dynamics")] == ["p", "ff"]


def test_an_upbeat_is_bar_nought_and_the_piece_ends_with_a_final_bar_line():
    measures = root_of(score_of((72, 24, 60, 64, 0), (96, 96, 60, 64, 0))).findall("part/measure")
    assert [(m.get("number"), m.get("implicit")) for m in measures] == [("0", "yes"), ("1", None)]
    assert measures[-1].findtext("barline/bar-style") == "light-heavy"


def test_inner_voices_show_no_rests_around_them_and_have_stems():
    root = root_of(score_of((0, 96, 72, 64, 0), (24, 24, 64, 64, 0)))
    assert [forward.findtext("duration") for forward in root.iter("forward")] == ["24"]
    assert not list(root.iter("rest"))
    assert [stem.text for stem in root.iter("stem")] == ["up", "down"]


def test_a_bar_of_silence_is_one_rest():
    for numerator, length in ((4, 96), (5, 120), (7, 168)):
        score = score_of(
            (0, 24, 60, 64, 0), (2 * length, 24, 60, 64, 0), time_signatures=TimeSignatures([0], [numerator], [4])
        )
        measure = root_of(score).findall("part/measure")[1]
        assert [rest.get("measure") for rest in measure.iter("rest")] == ["yes"]
        assert [note.findtext("type") for note in measure.iter("note")] == [None]


def test_a_silent_upbeat_has_rests_of_its_own_length():
    """music21 makes a bar of four quarters of a bar's rest, however short it is."""
    score = score_of((72, 24, 60, 64, 0), (96, 24, 60, 64, 0), (96, 24, 70, 64, 1), tracks=(PIANO, Track(40)))
    silent = root_of(score).findall("part")[1][0]
    assert [note.findtext("type") for note in silent.iter("note")] == ["quarter"]
    assert silent.find("note/rest").get("measure") is None


def test_a_pitch_that_sounds_twice_is_written_twice():
    score = score_of((0, 24, 60, 64, 0), (0, 24, 60, 80, 0), (12, 24, 60, 70, 0))
    assert sum(read_notes(musicxml_text(score)).values()) == 3


def test_what_is_written_is_read_again(tmp_path):
    pytest.importorskip("music21")
    tracks = (Track(40, name="Violin"), Track(0, True, "Drums"))
    score = score_of((0, 32, 70, 30, 0), (32, 100, 61, 90, 0), (8, 4, 38, 77, 1), (12, 6, 42, 1, 1), tracks=tracks)
    write_musicxml(score, tmp_path / "a.mxl")
    read, report = read_music(tmp_path / "a.mxl")
    assert not report.faults
    assert read.tracks == tracks
    assert read.notes == score.notes
