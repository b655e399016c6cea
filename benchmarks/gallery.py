"""A dozen pieces that nobody picked beside as many real ones, in one page that plays them.

    python benchmarks/gallery.py --corpus CORPUS --out FOLDER [--model MODEL] [--bars 64] [--json]

The model writes the seeds 0 to 11 in the styles of STYLES. The real pieces are those of the corpus's split `valid`, at
even distances through each style, as the tokens of the model tell them and as long as the model's at most. FOLDER gets
index.html (which plays with nothing to load from anywhere), README.md, and of each piece a piano roll (PNG) and the
MIDI file; of real music only where it may be given away (OPEN): of the rest a picture. Printed: nine metrics of the
model's pieces, and where those of the real ones lie.
"""

from __future__ import annotations

import argparse
import html
import io
import json
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

import aurl
from aurl.data.genres import short_name
from aurl.data.store import Corpus
from aurl.evaluation.metrics import compare
from aurl.music.html_roll import roll_data, roll_page
from aurl.music.midi import write_midi
from aurl.music.picture import write_piano_roll
from aurl.music.score import Score
from aurl.music.transforms import until
from aurl.pipelines.demo import SETTINGS
from aurl.pipelines.model import Model
from aurl.utils.files import make_folder, write_file

STYLES = {"pop": 6, "song": 2, "chamber": 1, "fiddle": 1, "jazz": 1, "game": 1}
"""Pieces of each; pop takes the place of a style that the model does not know."""
FORM = {"pop": {name: SETTINGS[name] for name in ("sections", "constraints")}}
"""What else is asked for in a style: the forms that can be drawn are those of pop songs."""
OPEN = {
    "openscore_lieder": "OpenScore Lieder, CC0",
    "openscore_quartets": "OpenScore String Quartets, CC0",
    "music21_fiddle_abc": "traditional, public domain",
}
"""Folders of the corpus's sources whose music may be given away, and how it is credited."""
MOST_BYTES = 4_000_000
COLOURS = 48
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Exhibit:
    """A piece and what is said of it."""

    name: str
    title: str
    about: str
    score: Score
    is_open: bool = True

    def write_picture(self, out: Path) -> None:
        """A piano roll in few colours."""
        picture, small = out / f"{self.name}.png", io.BytesIO()
        write_piano_roll(self.score, picture, title=self.name)
        Image.open(picture).convert("RGB").quantize(COLOURS).save(small, "png", optimize=True)
        write_file(picture, small.getvalue())


def styles_of(known: Sequence[str]) -> list[str]:
    """The style of each piece; raises SystemExit for a model that knows none of them."""
    counts = Counter({style: count for style, count in STYLES.items() if style in known})
    if not counts:
        raise SystemExit(f"the model knows none of the styles {', '.join(STYLES)}")
    counts[next(iter(counts))] += sum(STYLES.values()) - counts.total()
    return [*counts.elements()]


def written(model: Model, name: str, styles: Sequence[str], bars: int, out: Path) -> Iterator[Exhibit]:
    """The model's pieces; their MIDI files are those of the commands, to the byte."""
    for seed, style in enumerate(styles):
        settings = {"style": style, "bars": bars, **FORM.get(style, {}), "seed": seed}
        stem = f"{style}-{seed}"
        piece = model.generate(**settings)
        piece.save(out / f"{stem}.mid")
        yield Exhibit(stem, f"{style}, seed {seed}", command(name, settings, stem), piece.score)


def command(model: str, settings: Mapping[str, Any], stem: str) -> str:
    """What makes the piece again."""
    words = ["aurl", "generate"] if model == aurl.DEFAULT_MODEL else ["aurl", "generate", "--model", model]
    for name, value in settings.items():
        many = value if isinstance(value, list) else [value]
        words += [word for one in many for word in (f"--{name.removesuffix('s') if many is value else name}", str(one))]
    return shlex.join([*words, "--out", f"{stem}.mid"])


def held_out_pieces(corpus: Corpus, model: Model, styles: Sequence[str], bars: int, out: Path) -> Iterator[Exhibit]:
    """As many real pieces of each style, those that may be given away as MIDI files too."""
    known = model.experiment["tokenizer"]["styles"]
    pools: dict[str, list[int]] = {}
    for index in corpus.indices("valid").tolist():
        pools.setdefault(short_name(corpus.metadata(index).get("genre", ""), known) or "", []).append(index)
    for style, count in Counter(styles).items():
        pool = pools.get(style, [])
        for number, index in enumerate(pool[:: max(1, len(pool) // count)][:count]):
            told = corpus.metadata(index)
            score = model.tokenizer.canonical(corpus.score(index))[0]
            score = until(score, int(score.metre_map.bar_to_ticks(bars)))
            licence = OPEN.get(Path(told["source"]).parts[0])
            about = ", ".join(filter(None, (told.get("composer"), licence or "shown as a picture only")))
            stem = f"real-{style}-{number}"
            if licence:
                write_midi(score, out / f"{stem}.mid")
            yield Exhibit(stem, told.get("title") or style, about, score, licence is not None)


def page(model: str, generated: Sequence[Exhibit], held_out: Sequence[Exhibit]) -> str:
    """The page: a player that is in it once, and what it plays."""
    cards = {
        "generated": "".join(card(one, f"<code>{html.escape(one.about)}</code>") for one in generated),
        "held_out": "".join(card(one, html.escape(one.about)) for one in held_out),
    }
    player = json.dumps(roll_page("@score@", "@title@")).replace("<", "\\u003c")
    scores = [
        f'<script type="application/json" id="score-{one.name}">{roll_data(one.score)}</script>'
        for one in (*generated, *held_out)
        if one.is_open
    ]
    template = Template((HERE / "gallery.html").read_text(encoding="utf-8"))
    return template.substitute(model=html.escape(model), player=player, scores="\n".join(scores), **cards)


def card(one: Exhibit, about: str) -> str:
    """A piece on the page."""
    title = html.escape(one.title)
    image = f'<img src="{one.name}.png" alt="Piano roll of {title}" loading="lazy">'
    if not one.is_open:
        return f"<figure>{image}<figcaption>{title}<br>{about}</figcaption></figure>\n"
    play = f'<button data-name="{one.name}" data-title="{title}">Play</button>'
    link = f'<a href="{one.name}.mid">MIDI</a>'
    return f"<figure>{image}<figcaption>{play} {title} {link}<br>{about}</figcaption></figure>\n"


def read_me(generated: Sequence[Exhibit], held_out: Sequence[Exhibit]) -> str:
    """The same for readers of the repository."""
    commands = "\n".join(one.about for one in generated)
    pictures = "\n\n".join(f"![{one.title}]({one.name}.png)" for one in generated)
    sources = "\n\n".join(f"{one.title}, {one.about}\n\n![{one.title}]({one.name}.png)" for one in held_out)
    return (
        "# Gallery\n\nPieces that nobody picked, beside real ones that the model never saw. Open `index.html` to hear "
        f"them.\n\n```sh\n{commands}\n```\n\n{pictures}\n\n## Real music\n\n{sources}\n"
    )


def main() -> None:
    """Write the gallery, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=aurl.DEFAULT_MODEL)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bars", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    began = time.perf_counter()
    model, corpus = aurl.load(options.model), Corpus.open(options.corpus)
    make_folder(options.out)
    if any(options.out.iterdir()):
        raise SystemExit(f"{options.out} is not empty")
    styles = styles_of(model.experiment["tokenizer"].get("styles", ()))
    generated = list(written(model, options.model, styles, options.bars, options.out))
    held_out = list(held_out_pieces(corpus, model, styles, options.bars, options.out))
    for one in (*generated, *held_out):
        one.write_picture(options.out)
    write_file(options.out / "index.html", page(options.model, generated, held_out).encode())
    write_file(options.out / "README.md", read_me(generated, held_out).encode())
    size = sum(file.stat().st_size for file in options.out.iterdir())
    if size > MOST_BYTES:
        raise SystemExit(f"{options.out} has {size:,} bytes, more than {MOST_BYTES:,}")
    rows = compare([one.score for one in generated], [one.score for one in held_out])
    result = {
        "pieces": {
            one.name: {"notes": len(one.score.notes), "seconds": one.score.duration_seconds} for one in generated
        },
        "real pieces": {one.name: one.title for one in held_out},
        "metrics": {row.metric: row.summary() for row in rows},
        "megabytes": size / 1e6,
        "seconds": time.perf_counter() - began,
    }
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for name, told in result["pieces"].items():
        print(f"{name:12} {told['notes']:6,} notes {told['seconds']:6.1f} s")
    for name, summary in result["metrics"].items():
        print(f"{name:20} {summary}")
    print(f"{result['megabytes']:.2f} MB in {result['seconds']:.0f} s")


if __name__ == "__main__":
    main()
