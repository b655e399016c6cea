"""Reads back what MusicXML says, by the rules of the format alone: for tests of what we write."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class ReadNote(NamedTuple):
    """Part from 0, onset and length in divisions, pitch, velocity."""

    part: int
    onset: int
    length: int
    pitch: int
    velocity: int


def read_notes(text: str) -> Counter[ReadNote]:
    """Notes with ties joined; raises AssertionError where voices, ties or values do not add up."""
    root = ElementTree.fromstring(text)
    drums = {m.get("id"): int(m.findtext("midi-unpitched", "0")) - 1 for m in root.iter("midi-instrument")}
    found: Counter[ReadNote] = Counter()
    for number, part in enumerate(root.findall("part")):
        start, held = 0, {}
        for measure in part.findall("measure"):
            place = last = furthest = 0
            for element in measure:
                length = int(element.findtext("duration", "0"))
                if element.tag in ("backup", "forward"):
                    place += length if element.tag == "forward" else -length
                if element.tag == "note":
                    last, place = (last, place) if element.find("chord") is not None else (place, place + length)
                    check_value(element, length)
                    if element.find("rest") is None:
                        _hold(element, number, start + last, length, held, found, drums)
                furthest = max(furthest, place)
            start += furthest
        assert not held
    return found


def _hold(element, number, onset, length, held, found, drums):
    ties = [tie.get("type") for tie in element.findall("tie")]
    pitch = midi_pitch(element, drums)
    velocity = round(float(element.get("dynamics")) * 0.9)
    voice = pitch, element.findtext("voice")
    if "stop" in ties:
        begun, velocity = held.pop((*voice, onset))
    else:
        begun = onset
    if "start" in ties:
        held[*voice, onset + length] = begun, velocity
    else:
        found[ReadNote(number, begun, onset + length - begun, pitch, velocity)] += 1


def midi_pitch(note: Element, drums: dict[str, int]) -> int:
    """The MIDI number of a note's pitch, or of its drum."""
    pitch = note.find("pitch")
    if pitch is None:
        return drums[note.find("instrument").get("id")]
    octave = 12 * (int(pitch.findtext("octave")) + 1)
    return octave + SEMITONES[pitch.findtext("step")] + int(pitch.findtext("alter", "0"))


VALUES = {"64th": 1.5, "32nd": 3, "16th": 6, "eighth": 12, "quarter": 24, "half": 48, "whole": 96, "breve": 192}


def check_value(note: Element, length: int) -> None:
    """The written value must last as long as the duration says."""
    if note.find("type") is None:
        assert note.find("rest").get("measure") == "yes"
        return
    value = VALUES[note.findtext("type")]
    value *= 2 - 0.5 ** len(note.findall("dot"))
    if note.find("time-modification") is not None:
        value = value * 2 / 3
    assert value == length, (note.findtext("type"), length)
