"""Export J. S. Bach's four-part chorales from the corpus of music21 into the archive that `aurl:chorales` stands for.

A maintainers' tool, run once in an environment of its own (`pip install "music21==10.5.1" mido`):

    python tools/export_chorales.py src/aurl/assets/chorales/chorales.zip

Kept are the scores in MusicXML with exactly the parts Soprano, Alto, Tenor and Bass; those in Humdrum are left out,
because their encoder reserves the rights to derivative formats. Each chorale becomes four tracks of church organ at 80
beats a minute: ties merged, grace notes and fermatas dropped, repeats written once. Time 0 is the start of the pickup.
A bar shorter than its metre has a time signature of its own, so that bars begin where they do in print. Chorales on
one hymn (by title, or by melody) share a `piece_key` and a split.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import logging
import re
import unicodedata
import zipfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import combinations, groupby, pairwise
from pathlib import Path

import mido
import music21

logger = logging.getLogger("export_chorales")

CORPUS = Path(music21.__file__).parent / "corpus" / "bach"
VOICES = ("Soprano", "Alto", "Tenor", "Bass")
TICKS_PER_BEAT = 480
MICROSECONDS_PER_BEAT = 750_000  # a quarter is 48 steps of 1/64 s: sixteenths and triplets fall on whole steps
CHURCH_ORGAN = 19
VELOCITY = 80
BEGINNING = 12
"""Intervals at the beginning of a melody that, all equal, identify its hymn."""
OPENING = 30
"""Beats that are compared where melodies are only alike."""
SPLITS = {"test": 0.05, "valid": 0.15, "train": 1.0}
"""Each split's upper end, as a share of the chorales; a split ends with the hymn that reaches it."""
COLUMNS = ("path", "composer", "title", "genre", "split", "piece_key")

Voice = tuple[tuple[int, int, int], ...]
"""Notes: onset and duration in ticks, pitch."""


@dataclass(frozen=True)
class Chorale:
    """A chorale: BWV number, title or "", notes by voice, metre changes (tick, numerator, denominator), key name."""

    number: str
    title: str
    voices: tuple[Voice, ...]
    metre: tuple[tuple[int, int, int], ...]
    key: str | None

    @property
    def shape(self) -> object:
        """All notes, relative to the first of the soprano: the same for one harmonisation in two keys."""
        first = self.voices[0][0][2]
        return tuple(tuple((onset, ticks, pitch - first) for onset, ticks, pitch in voice) for voice in self.voices)

    @cached_property
    def melody(self) -> list[int]:
        """Pitch of the soprano on each beat, from its first note."""
        notes = self.voices[0]
        starts = [onset for onset, _, _ in notes]
        beats = range(-(-starts[0] // TICKS_PER_BEAT) * TICKS_PER_BEAT, notes[-1][0] + 1, TICKS_PER_BEAT)
        return [notes[bisect_right(starts, beat) - 1][2] for beat in beats]

    def on_the_hymn_of(self, other: Chorale) -> bool:
        """Whether both have one title, or melodies that begin alike, or that are alike as a whole."""
        if self.title and _plain(self.title) == _plain(other.title):
            return True
        mine, theirs = [[pitch for _, _, pitch in chorale.voices[0]] for chorale in (self, other)]
        if _intervals(mine)[:BEGINNING] == _intervals(theirs)[:BEGINNING]:
            return True
        by_beat = [_intervals(chorale.melody)[:OPENING] for chorale in (self, other)]
        contour = [_intervals([pitch for pitch, _ in groupby(chorale.melody)]) for chorale in (self, other)]
        return _alike(*by_beat, at_least=0.75) or _alike(*contour, at_least=0.77)


def _intervals(pitches: list[int]) -> list[int]:
    return [after - before for before, after in pairwise(pitches)]


def _alike(first: list[int], second: list[int], *, at_least: float) -> bool:
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.quick_ratio() >= at_least and matcher.ratio() >= at_least


def _plain(title: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", title.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "-".join(re.findall("[a-z]+", ascii_text.replace("'", "")))


def read_chorales() -> list[Chorale]:
    """The chorales kept, by number, variants (BWV 18.5-w) last; each harmonisation once, whatever its key."""
    titles = {str(number): entry["title"] for number, entry in music21.corpus.chorales.ChoraleListRKBWV().byBWV.items()}
    kept: dict[object, Chorale] = {}
    paths = sorted([*CORPUS.glob("bwv*.mxl"), *CORPUS.glob("bwv*.xml")], key=lambda path: ("-" in path.name, path.name))
    for path in paths:
        score = music21.converter.parse(path)
        if tuple(part.partName for part in score.parts) != VOICES:
            continue
        number = path.stem.removeprefix("bwv")
        chorale = read_chorale(score, number, titles.get(number, ""))
        first = kept.setdefault(chorale.shape, chorale)
        if first is not chorale:
            logger.info("BWV %s repeats BWV %s", number, first.number)
    return list(kept.values())


def read_chorale(score: music21.stream.Score, number: str, title: str) -> Chorale:
    """The notes, metre and key of one score."""
    voices = tuple(read_voice(part) for part in score.parts)
    return Chorale(number, title, voices, tuple(read_metre(score.parts[0])), read_key(score))


def read_key(score: music21.stream.Score) -> str | None:
    """The key as MIDI names it; the mode is the soprano's (others often lack it); None where parts disagree."""
    signatures = [part.flatten().getElementsByClass(music21.key.KeySignature).first() for part in score.parts]
    if not isinstance(signatures[0], music21.key.Key) or len({key.sharps for key in signatures}) > 1:
        return None
    return signatures[0].tonic.name.replace("-", "b") + ("m" if signatures[0].mode == "minor" else "")


def read_voice(part: music21.stream.Part) -> Voice:
    """The notes of a part, ties merged."""
    notes = part.stripTies().flatten().getElementsByClass(music21.note.Note)
    return tuple((_ticks(n.offset), _ticks(n.quarterLength), n.pitch.midi) for n in notes if n.quarterLength > 0)


def _ticks(beats: float) -> int:
    return round(beats * TICKS_PER_BEAT)


def read_metre(part: music21.stream.Part) -> Iterable[tuple[int, int, int]]:
    """Metre changes; two bars that a repeat sign cuts from one are one bar again."""
    written = None
    for start, beats, signature in _bars(part):
        numerator, denominator = signature.numerator, signature.denominator
        if beats != signature.barDuration.quarterLength:
            numerator, denominator = (beats / 4).as_integer_ratio()
            scale = max(1, signature.denominator // denominator)
            numerator, denominator = numerator * scale, denominator * scale
        if (numerator, denominator) != written:
            yield _ticks(start), numerator, denominator
        written = numerator, denominator


def _bars(part: music21.stream.Part) -> list[tuple[float, float, music21.meter.TimeSignature]]:
    """Start and length in quarter notes, and metre, of each bar; the last is taken for a whole one."""
    bars: list[tuple[float, float, music21.meter.TimeSignature]] = []
    signature = music21.meter.TimeSignature("4/4")
    for measure in part.getElementsByClass(music21.stream.Measure):
        signature = measure.timeSignature or signature
        start, beats = float(measure.offset), float(measure.duration.quarterLength)
        joined = bars[-1][1] + beats if len(bars) > 1 else 0  # a pickup stays alone
        if joined == signature.barDuration.quarterLength:
            bars[-1] = bars[-1][0], joined, signature
        else:
            bars.append((start, beats, signature))
    bars[-1] = bars[-1][0], signature.barDuration.quarterLength, signature
    return bars


def hymns(chorales: list[Chorale]) -> list[int]:
    """For each chorale the index of the first that is on the same hymn, links followed to the end."""
    group = list(range(len(chorales)))
    for (i, first), (j, second) in combinations(enumerate(chorales), 2):
        if group[i] != group[j] and first.on_the_hymn_of(second):
            low, high = sorted((group[i], group[j]))
            group = [low if g == high else g for g in group]
    return group


def midi_bytes(chorale: Chorale) -> bytes:
    """The chorale as a MIDI file: one track of signatures, then the four voices."""
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    head = [(0, mido.MetaMessage("track_name", name=f"BWV {chorale.number}"))]
    head += [(0, mido.MetaMessage("set_tempo", tempo=MICROSECONDS_PER_BEAT))]
    head += [(t, mido.MetaMessage("time_signature", numerator=n, denominator=d)) for t, n, d in chorale.metre]
    head += [(0, mido.MetaMessage("key_signature", key=chorale.key))] if chorale.key else []
    file.tracks.append(_track(head))
    for channel, (name, voice) in enumerate(zip(VOICES, chorale.voices, strict=True)):
        events = [(0, mido.MetaMessage("track_name", name=name))]
        events += [(0, mido.Message("program_change", program=CHURCH_ORGAN, channel=channel))]
        for onset, ticks, pitch in voice:
            note = {"note": pitch, "velocity": VELOCITY, "channel": channel}
            events += [(onset, mido.Message("note_on", **note)), (onset + ticks, mido.Message("note_off", **note))]
        file.tracks.append(_track(events))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _track(events: list[tuple[int, mido.messages.BaseMessage]]) -> mido.MidiTrack:
    """Events at absolute ticks as a track; of those at one tick, what ends a note goes first after the meta events."""
    order = {"note_off": 1, "note_on": 2}
    events = sorted(events, key=lambda event: (event[0], order.get(event[1].type, 0)))
    track, now = mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def splits(keys: list[str]) -> dict[str, str]:
    """The split of each hymn: in the order of their hashes they fill test, then valid; the rest is train."""
    by_hash = sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).digest())
    result, filled = {}, 0
    for key in by_hash:
        result[key] = next(split for split, end in SPLITS.items() if filled < end * len(keys))
        filled += keys.count(key)
    return result


def manifest(chorales: list[Chorale]) -> list[tuple[str, ...]]:
    """Rows of `COLUMNS`; an untitled chorale takes the title of the first on its hymn that has one."""
    groups = hymns(chorales)
    titles: dict[int, str] = {}
    for chorale, group in zip(chorales, groups, strict=True):
        titles[group] = titles.get(group) or chorale.title
    keys = [_plain(titles[group]) or f"bwv{chorales[group].number}" for group in groups]
    split = splits(keys)
    return [
        (
            f"bwv{chorale.number}.mid",
            "Johann Sebastian Bach",
            f"{chorale.title or titles[group] or 'Chorale'} (BWV {chorale.number})",
            "chorale",
            split[key],
            key,
        )
        for chorale, group, key in zip(chorales, groups, keys, strict=True)
    ]


def main() -> None:
    """Write the archive named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="the zip file to write")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    archive = parser.parse_args().archive
    chorales = read_chorales()
    rows = manifest(chorales)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        _add(out, "manifest.csv", table.getvalue().encode())
        _add(out, "SOURCE.md", archive.with_name("SOURCE.md").read_bytes())
        for row, chorale in zip(rows, chorales, strict=True):
            _add(out, row[0], midi_bytes(chorale))
    hymn_count = len({row[5] for row in rows})
    logger.info("%d chorales on %d hymns: %s", len(rows), hymn_count, dict(Counter(row[4] for row in rows)))


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file with a fixed date, so that the same export gives the same archive."""
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


if __name__ == "__main__":
    main()
