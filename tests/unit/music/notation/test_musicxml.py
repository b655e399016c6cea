"""MusicXML: what it says is read, what attacks is refused."""

from __future__ import annotations

import io
import zipfile

import pytest

from aurl.music.io import read_music
from aurl.music.notation.library import music21
from aurl.music.notation.musicxml import MOST_BYTES, MOST_MEMBERS, read_musicxml, unpack
from aurl.music.score import Score, Track
from aurl.utils.errors import MidiError

HEAD = """<?xml version="1.0"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://127.0.0.1:9/partwise.dtd">
<score-partwise version="4.0"><work><work-title>Tést</work-title></work><part-list>
<score-part id="P1"><part-name>Clarinet in Bb</part-name>
<score-instrument id="I1"><instrument-name>Clarinet</instrument-name>
</score-instrument><midi-instrument id="I1"><midi-channel>1</midi-channel>
<midi-program>72</midi-program></midi-instrument>
</score-part><score-part id="P2"><part-name>Piano</part-name></score-part>
<score-part id="P3"><part-name>Kit</part-name><score-instrument id="D1"><instrument-name>Snare</instrument-name>
</score-instrument><score-instrument id="D2"><instrument-name>Kick</instrument-name></score-instrument>
<midi-instrument id="D1"><midi-channel>10</midi-channel><midi-unpitched>39</midi-unpitched></midi-instrument>
<midi-instrument id="D2"><midi-channel>10</midi-channel>
<midi-unpitched>37</midi-unpitched></midi-instrument></score-part>
</part-list>"""
ATTRIBUTES = """<attributes><divisions>2</divisions><key><fifths>-1</fifths><mode>minor</mode></key>
<time><beats>3</beats><beat-type>4</beat-type></time>{}</attributes>"""


def note(step: str, octave: int, duration: int, extra: str = "", before: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{before}{pitch}<duration>{duration}</duration>{extra}</note>"


CLARINET = [
    ATTRIBUTES.format("<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>")
    + """<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>90</per-minute></metronome>
    </direction-type><sound tempo="90"/></direction><direction>
<direction-type><dynamics><f/></dynamics></direction-type>
    </direction><harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind>dominant</kind>
    <bass><bass-step>D</bass-step></bass></harmony>"""
    + note("D", 5, 4)
    + "<note><grace/><pitch><step>C</step><octave>5</octave></pitch><type>eighth</type></note>"
    + note("D", 5, 2, '<tie type="start"/><lyric number="1"><syllabic>begin</syllabic><text>la</text></lyric>'),
    note("D", 5, 6, '<tie type="stop"/>') + '<barline location="right"><repeat direction="backward"/></barline>',
]
STAVES = "<staves>2</staves>"
PIANO = [
    ATTRIBUTES.format(STAVES) + note("E", 4, 6, "<staff>1</staff>") + note("G", 4, 6, "<staff>1</staff>", "<chord/>")
    + "<backup><duration>6</duration></backup>" + note("C", 3, 6, "<staff>2</staff>"),
    note("C", 4, 6, "<staff>1</staff>")
    + "<backup><duration>6</duration></backup>" + note("C", 2, 6, "<staff>2</staff>"),
]  # fmt: skip
HIT = """<note><unpitched><display-step>C</display-step><display-octave>5</display-octave></unpitched>
<duration>2</duration>{}</note>"""
DRUMS = [
    "<attributes><divisions>2</divisions></attributes>"
    + "".join(HIT.format(which) for which in ('<instrument id="D1"/>', '<instrument id="D2"/>', "")),
    "<note><rest/><duration>6</duration></note>",
]


def part(identity: str, measures: list[str]) -> str:
    numbered = "".join(f'<measure number="{n}">{content}</measure>' for n, content in enumerate(measures, 1))
    return f'<part id="{identity}">{numbered}</part>'


DOCUMENT = (HEAD + part("P1", CLARINET) + part("P2", PIANO) + part("P3", DRUMS) + "</score-partwise>").encode()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


CONTAINER = b"<container><rootfiles><rootfile full-path='score.xml'/></rootfiles></container>"


@pytest.fixture(scope="module")
def score() -> Score:
    return read_music(DOCUMENT)[0]


def rows(score: Score, track: int) -> list[tuple[float, float, int, int]]:
    notes, unit = score.notes.take(score.notes.track == track), score.ticks_per_beat
    columns = (notes.onset / unit, notes.duration / unit, notes.pitch, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_each_staff_is_a_track_with_its_program(score: Score) -> None:
    names = ((71, False, "Clarinet in Bb"), (0, False, "Piano"), (0, False, "Piano"), (0, True, "Kit"))
    assert score.tracks == tuple(Track(*name) for name in names)


def test_notes_sound_at_concert_pitch_tied_repeated_and_graced(score: Score) -> None:
    once = [(0.0, 2.0, 72, 89), (1.875, 0.125, 70, 89), (2.0, 4.0, 72, 89)]
    assert rows(score, 0) == once + [(onset + 6, *rest) for onset, *rest in once]


def test_staves_keep_their_notes(score: Score) -> None:
    assert [row[2] for row in rows(score, 1)][:3] == [64, 67, 60]
    assert [row[2] for row in rows(score, 2)][:2] == [48, 36]


def test_drums_are_general_midi_and_those_without_a_number_are_told(score: Score) -> None:
    assert [(row[0], row[2]) for row in rows(score, 3)] == [(0, 38), (1, 36), (6, 38), (7, 36)]
    assert [fault.count for fault in read_music(DOCUMENT)[1].faults] == [2]


def test_metre_key_tempo_chords_lyrics_and_title_are_kept(score: Score) -> None:
    assert (score.time_signatures.numerator.tolist(), score.time_signatures.denominator.tolist()) == ([3], [4])
    assert (score.key_signatures.sharps.tolist(), score.key_signatures.is_minor.tolist()) == ([-1], [True])
    assert score.tempos.bpm.round().tolist() == [90]
    assert score.texts.of("chord").text.tolist() == ["Bb7/D"]
    assert score.texts.of("lyric").text.tolist() == ["la-", "la-"]
    assert score.metadata["title"] == "Tést"


def test_archives_are_unpacked_with_a_good_a_damaged_or_no_container(score: Score) -> None:
    for container in ({"META-INF__container_xml": CONTAINER}, {"META-INF__container_xml": b"<damaged"}, {}):
        data = archive(**container, score_xml=DOCUMENT)
        assert unpack(data, "a.mxl") == DOCUMENT
    assert read_music(data, "a.mxl")[0] == score


BOMB = b"<score-partwise>" + b" " * (MOST_BYTES - 100) + b"</score-partwise>"
PLAIN, ENCRYPTED = b"\x14\x00\x00\x00\x08", b"\x14\x00\x01\x00\x08"
"""Version, flags and method in an archive."""
LAUGHS = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><score-partwise>&c;</score-partwise>'
FILE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><score-partwise>&b;</score-partwise>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (archive(score_xml=BOMB), "unpacks to more than music needs"),
        (archive(score_xml=b" " * (MOST_BYTES + 1)), "unpacks to more than music needs"),
        (archive(score_xml=archive(score_xml=DOCUMENT)), "archive in an archive"),
        (archive(**{f"f{n}_xml": b"" for n in range(MOST_MEMBERS + 1)}), "too many files"),
        (archive(readme_txt=b"nothing"), "holds no MusicXML"),
        (archive(score_xml=DOCUMENT)[:200], "damaged or encrypted"),
        (LAUGHS, "entities"),
        (LAUGHS.decode().encode("utf-16"), "entities"),
        (b"<score-partwise " + b"a" * 300_000 + b"='1'/>", "tag too long"),
        (archive(score_xml=DOCUMENT).replace(PLAIN, ENCRYPTED), "encrypted"),
        (FILE, "entities"),
        (b"<score-partwise>", "not well-formed"),
        (b"<?xml version='1.0' encoding='none-such'?><score-partwise/>", "not well-formed"),
        (b"<score-partwise>" + b" " * MOST_BYTES, "too large"),
        (b"<score-timewise/>", "not partwise"),
        (
            b"<score-partwise><part><measure>" + b"<note/>" * 100_001 + b"</measure></part></score-partwise>",
            "too large",
        ),
        (b"<score-partwise/>", "holds no part"),
        (b"<score-partwise><part-list/><part id='P9'><measure/></part></score-partwise>", "cannot read"),
        (DOCUMENT.replace(b"<beats>3", b"<beats>99999999"), "metre that means nothing"),
        (DOCUMENT.replace(b"<divisions>2", b"<divisions>x"), "cannot read"),
    ],
)
def test_attacks_and_damage_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(MidiError, match=message):
        read_musicxml(data, "evil.mxl")


def test_a_duration_beyond_all_music_is_no_crash() -> None:
    data = DOCUMENT.replace(b"<duration>4</duration>", b"<duration>99999999999</duration>")
    with pytest.raises(MidiError, match="too long"):
        read_music(data)


def test_the_library_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    read_music(DOCUMENT)
    assert capfd.readouterr() == ("", "")


def test_the_library_is_left_as_it_was() -> None:
    read_music(DOCUMENT)
    with pytest.raises(MidiError):
        read_music(DOCUMENT.replace(b"<divisions>2", b"<divisions>x"))
    assert len(music21().harmony.ChordSymbol("C").pitches) == 3
