"""Notation: every note back, names as the composer wrote them, valid MusicXML.

    python benchmarks/engraving.py PATH... [--pieces 100] [--model FOLDER] [--xsd musicxml.xsd]
    python benchmarks/engraving.py --spelled FOLDER [--pieces 100]

PATH: folders, files and archives of music on a metre. Each of `--pieces`, evenly spaced, passes the `note` tokenizer
(its canonical score, with the key signatures of the source) and is written as MusicXML; with `--model` so many pieces
are generated too. The document is read back by Verovio (its MIDI) and, for one in `--music21` of them, by music21. A
note is back when onset, length (ties joined) and pitch are those of the score, counted as a multiset; drums are left
out, as Verovio plays none. `off the key`: notes of the signature's scale whose name is not in it. `--xsd`: the schema
of MusicXML 4.0 (github.com/w3c/musicxml, tag v4.0), its imports beside it.

`--spelled`: MusicXML with the names that were written. Of each note, the name is found again from the MIDI pitch, the
time and the signature; music21 names by a fixed table, partitura by ps13s1, which is not told the signature: where its
whole piece lies enharmonically off (12 fifths), that is put right for `partitura, moved`.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from rich.console import Console
from rich.table import Table

from aurl.data.sources import Found, list_inputs, read_entries
from aurl.data.tokenizers import TOKENIZERS
from aurl.music.engraving import musicxml_text
from aurl.music.engraving.page import Page, to_steps
from aurl.music.engraving.spelling import place_of, spell
from aurl.music.io import read_music
from aurl.music.midi import read_midi
from aurl.music.score import Score
from aurl.utils.errors import AurlError

Notes = Counter[tuple[int, int, int]]


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--pieces", type=int, default=100, help="pieces taken, evenly spaced")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--model", type=Path, help="folder of a model that writes pieces too")
    parser.add_argument("--music21", type=int, default=4, help="music21 reads one in so many; 0 none")
    parser.add_argument("--xsd", type=Path, help="schema to validate against")
    parser.add_argument("--spelled", type=Path, help="folder of MusicXML with written names")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    result: dict[str, Any] = {name: version(name) for name in ("verovio", "music21", "partitura")}
    if options.paths:
        result["real"] = documents(read_scores(options.paths, options.pieces, options.start), options)
    if options.model:
        result["generated"] = documents(generated(options.model, options.pieces), options)
    if options.spelled:
        result["names"] = names(options.spelled, options.pieces, options.start)
    print(json.dumps(result, indent=2)) if options.json else show(result)


def read_scores(paths: list[Path], pieces: int, start: int) -> list[Score]:
    found = Found()
    contents = [e.content for e in read_entries(list_inputs(paths, found).files, found) if isinstance(e.content, bytes)]
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse({"name": "note"}))
    scores = []
    for content in contents[start :: max(1, len(contents) // pieces)][:pieces]:
        try:
            score, _ = read_music(content)
        except AurlError:
            continue
        canonical, _ = tokenizer.canonical(score)
        keys = score.key_signatures
        time = keys.time.astype(np.int64) * canonical.ticks_per_beat // score.ticks_per_beat
        if len(canonical.notes):
            scores.append(canonical.replace(key_signatures=keys.replace(time=time)))
    return scores


def generated(model: Path, pieces: int) -> list[Score]:
    import aurl

    loaded = aurl.load(model)
    return [piece.score for piece in loaded.write({"bars": 16, "variations": pieces, "seed": 1})]


def documents(scores: list[Score], options: argparse.Namespace) -> dict[str, Any]:
    """Counts over the documents of all scores."""
    counts: Counter[str] = Counter()
    seconds, schema = 0.0, _schema(options.xsd)
    for index, score in enumerate(scores):
        began = time.process_time()
        text = musicxml_text(score)
        seconds += time.process_time() - began
        counts += _contents(text) + _off_the_key(text)
        counts["notes"] += int(score.is_pitched.sum())
        readers = {"verovio": read_verovio} | (
            {"music21": read_music21} if options.music21 and index % options.music21 == 0 else {}
        )
        for name, read in readers.items():
            wanted, got = played(score), read(text)
            counts[f"{name}: pieces"] += 1
            counts[f"{name}: notes missing"] += sum((wanted - got).values())
            counts[f"{name}: notes added"] += sum((got - wanted).values())
            counts[f"{name}: pieces exact"] += wanted == got
        if schema is not None:
            counts["valid"] += schema(text)
    return {"pieces": len(scores), **counts, "ms a piece": 1000 * seconds / max(1, len(scores))}


def played(score: Score) -> Notes:
    """Onset and length in steps from the first bar line, and pitch."""
    page, pitched = Page.of(score), score.is_pitched
    onset, length = page.onset - page.bars[0].start, page.end - page.onset
    return Counter(zip(*(column[pitched].tolist() for column in (onset, length, score.notes.pitch)), strict=True))


def read_verovio(text: str) -> Notes:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none"})
    toolkit.loadData(text)
    score = read_midi(base64.b64decode(toolkit.renderToMIDI()))
    onset, end = to_steps(score, score.notes.onset), to_steps(score, score.notes.end)
    rows = score.is_pitched
    return Counter(zip(*(c[rows].tolist() for c in (onset, end - onset, score.notes.pitch)), strict=True))


def read_music21(text: str) -> Notes:
    import music21

    found: Notes = Counter()
    stream = music21.converter.parseData(text, format="musicxml")
    for part in stream.parts:
        held: dict[tuple[int, int], tuple[int, int]] = {}
        for element in part.flatten().notes:
            for note in element.notes if element.isChord else [element]:
                if not hasattr(note, "pitch") or isinstance(element, music21.harmony.Harmony):
                    continue
                start, length = round(element.offset * 24), round(element.quarterLength * 24)
                pitch, tie = int(note.pitch.midi), note.tie.type if note.tie else ""
                before = held.pop((pitch, start), None) if tie in ("stop", "continue") else None
                onset = before[0] if before else start
                if tie in ("start", "continue"):
                    held[pitch, start + length] = onset, pitch
                else:
                    found[onset, start + length - onset, pitch] += 1
    return found


def _contents(text: str) -> Counter[str]:
    tags = Counter(element.tag for element in ElementTree.fromstring(text).iter())
    return Counter({f"{tag}s": tags[tag] // (2 if tag == "tuplet" else 1) for tag in ("measure", "beam", "tuplet")})


def _off_the_key(text: str) -> Counter[str]:
    """Notes whose pitch class is in the signature's scale, and those of them with a name outside it."""
    found: Counter[str] = Counter()
    for part in ElementTree.fromstring(text).iter("part"):
        sharps = 0
        for element in part.iter():
            if element.tag == "fifths":
                sharps = int(element.text or 0)
            if element.tag == "pitch":
                alter = int(element.findtext("alter", "0"))
                place = place_of(element.findtext("step", "")) + 7 * alter
                is_named_so = sharps - 1 <= place <= sharps + 5
                found["of the key"] += is_named_so or (place - sharps + 1) % 12 < 7
                found["off the key"] += not is_named_so and (place - sharps + 1) % 12 < 7
    return found


def _schema(path: Path | None) -> Any:
    if path is None:
        return None
    from lxml import etree

    parser = etree.XMLParser(no_network=True)
    text = path.read_bytes().replace(b"http://www.musicxml.org/xsd/", path.parent.as_uri().encode() + b"/")
    schema = etree.XMLSchema(etree.fromstring(text, parser, base_url=path.as_uri()))
    return lambda document: schema.validate(etree.fromstring(document.encode(), parser))


def names(folder: Path, pieces: int, start: int) -> dict[str, Any]:
    """Shares of wrong names by who names."""
    import music21
    import partitura

    table = np.array([place_of(music21.pitch.Pitch(midi=60 + c).name.replace("-", "b")) for c in range(12)])
    wrong: Counter[str] = Counter()
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".mxl", ".musicxml", ".xml"))
    for file in files[start :: max(1, len(files) // pieces)][:pieces]:
        try:
            rows = partitura.load_musicxml(file).note_array(include_pitch_spelling=True, include_key_signature=True)
        except Exception:  # noqa: BLE001 -- whatever a library raises on a file it cannot read
            continue
        rows = rows[np.lexsort((rows["pitch"], rows["onset_div"]))]
        written = np.array(
            [place_of(step) + 7 * alter for step, alter in zip(rows["step"], rows["alter"], strict=True)]
        )
        if len(rows) < 20 or ((7 * written - rows["pitch"]) % 12).any():
            continue
        sharps = rows["ks_fifths"].astype(np.int64)
        found = spell(rows["onset_div"].astype(np.int64), rows["pitch"], sharps)
        peer = partitura.musicanalysis.estimate_spelling(rows)
        theirs = np.array([place_of(s) + 7 * int(a) for s, a in zip(peer["step"], peer["alter"], strict=True)])
        moved = min((theirs + 12 * by for by in (-1, 0, 1)), key=lambda places: int((places != written).sum()))
        diatonic = (written >= sharps - 1) & (written <= sharps + 5)
        wrong["pieces"] += 1
        wrong["notes"] += len(rows)
        wrong["aurl"] += int((found != written).sum())
        wrong["aurl, of notes in the signature"] += int(((found != written) & diatonic).sum())
        wrong["partitura"] += int((theirs != written).sum())
        wrong["partitura, moved"] += int((moved != written).sum())
        wrong["music21"] += int((table[rows["pitch"] % 12] != written).sum())
    shares = {f"{who}, wrong %": 100 * wrong[who] / wrong["notes"] for who in list(wrong)[2:]}
    return {"pieces": wrong["pieces"], "notes": wrong["notes"], **shares}


def show(result: dict[str, Any]) -> None:
    console = Console()
    for name, part in result.items():
        if not isinstance(part, dict):
            continue
        table = Table(title=name, title_justify="left")
        for column in ("", name):
            table.add_column(column)
        for key, value in part.items():
            table.add_row(key, f"{value:,.3f}" if isinstance(value, float) else f"{value:,}")
        console.print(table)
    console.print(", ".join(f"{name} {result[name]}" for name in ("verovio", "music21", "partitura")))


if __name__ == "__main__":
    main()
