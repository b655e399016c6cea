"""How good models and pieces of music are: likelihood of held-out music, and all figures beside real pieces.

A model is asked for bits per note, then for pieces, which are judged as given ones are. What a model writes is judged
beside real music as its tokens tell it, given music beside real music as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from aurl.data.embedded import BUILT_IN
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.data.store import DESCRIPTION_NAME
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.data.tokenizers.base import Tokens
from aurl.evaluation.baselines import fit
from aurl.evaluation.embedding import embed
from aurl.evaluation.judging import Embedder, Judgement, RealMusic, judge
from aurl.evaluation.likelihood import LikelihoodReport, ScoringModel, bits_per_note
from aurl.evaluation.statistics import bootstrap, ratio_of_sums
from aurl.generation.generator import Progress
from aurl.models.config import DeviceName
from aurl.models.device import choose_device
from aurl.models.folders import CHECKPOINTS, find_model, has_weights, is_built_in, model_config
from aurl.models.pretrained import load_model
from aurl.music.io import read_all
from aurl.music.score import KeySignatures, Score, Texts
from aurl.pipelines.evaluation_report import draw
from aurl.pipelines.export import SteppedModel
from aurl.pipelines.generate import require
from aurl.pipelines.model import Model, Piece
from aurl.pipelines.reference import Reference
from aurl.utils.errors import ConfigError, CorpusError, MidiError
from aurl.utils.files import make_folder, write_file
from aurl.utils.folders import MANIFEST
from aurl.utils.progress import ProgressBar, progress_bar

BATCH = 16
"""Pieces that are written at a time."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What is to be evaluated by which corpus, and how."""

    corpus: Path
    split: str = "valid"
    """Of the corpus, to compare with."""
    style: str | None = None
    """A genre, in short, to which both sides are restricted."""
    pieces: int = 50
    """That a model writes; 0 for its likelihood alone."""
    bars: int = 64
    """That a piece has, or that are heard of a given one."""
    baselines: bool = False
    """Whether counting is to be compared with the model."""
    embedding: Path | None = None
    """A model whose vectors are to be compared too."""
    out: Path | None = None
    """Folder for pieces, figures and picture."""
    device: str = "auto"
    ask: Mapping[str, Any] = field(default_factory=dict)
    """What else models are asked for: settings of `aurl generate` by name."""


def evaluate(what: Sequence[Path], request: EvaluationRequest, *, quiet: bool = False) -> dict[str, Any]:
    """Evaluate models, each by itself, and music, folders by themselves and files together; plain values by name.

    Raises the typed error of what cannot be used; a figure that cannot be had from so few pieces is left out.
    """
    require("device", request.device, get_args(DeviceName))
    if request.out is not None:
        make_folder(request.out)
    bench = _Bench(request, quiet)
    judgements: dict[str, Judgement] = {}
    evaluated: dict[str, Any] = {}
    for name, paths in subjects(what).items():
        told, judgement = bench.model(paths[0], name) if is_model(paths[0]) else bench.music(paths)
        evaluated[name] = {"path": ", ".join(map(str, paths)), **told}
        if judgement is not None:
            judgements[name] = judgement
    result: dict[str, Any] = _plain({**bench.reference.facts(), "evaluated": evaluated})
    if request.out is not None:
        write_file(request.out / "evaluation.json", json.dumps(result, indent=2).encode())
        if judgements:
            draw(judgements, request.out / "evaluation.png")
    return result


def subjects(what: Sequence[Path]) -> dict[str, list[Path]]:
    """What is evaluated, by a name for its column: all single files together, each model and folder by itself."""
    paths = dict.fromkeys(what)
    for path in paths:
        if not is_model(path) and not path.exists():
            raise ConfigError(f"{path} does not exist", hint="give models, folders or files of music")
        if (path / DESCRIPTION_NAME).is_file():
            raise ConfigError(f"{path} is a corpus", hint="give models or music, and the corpus as --corpus")
    files = [path for path in paths if path.is_file()]
    found = {"files": files} if files else {}
    for path in (path for path in paths if path not in files):
        name = path.name if is_built_in(path) else path.resolve().name
        names = (name, *(f"{name} {number}" for number in range(2, len(paths) + 2)))
        found[next(name for name in names if name not in found)] = [path]
    return found


def is_model(path: Path) -> bool:
    """Whether `path` is a run, a checkpoint or a model."""
    return is_built_in(path) or (path / MANIFEST).exists() or (path / CHECKPOINTS).is_dir()


class _Bench:
    """A request, and what it is all measured by."""

    def __init__(self, request: EvaluationRequest, quiet: bool) -> None:
        self.request, self.quiet = request, quiet
        self.reference = Reference(request.corpus, request.split, request.style, quiet=quiet)
        self.embedder = _embedder(request.embedding, request.device) if request.embedding else None

    def model(self, path: Path, name: str) -> tuple[dict[str, Any], Judgement | None]:
        """The figures of a model, and those of what it writes."""
        model = Model.load(path, device=cast(DeviceName, self.request.device))
        folder, tokenizer = find_model(path), model.tokenizer
        encoded = partial(
            self.reference.encoded, tokenizer=tokenizer, sizes=model_config(folder, model.experiment).vocabulary_sizes
        )
        held_out = encoded(self.reference.held_out)
        pieces = self._written(model, name)
        likelihood = self._likelihood(*_network(folder, model, self.request.device), held_out, tokenizer)
        if self.request.baselines:
            likelihood |= _baselines(encoded(self.reference.learned), held_out, tokenizer)
        told: dict[str, Any] = {"is": "model", "likelihood": likelihood}
        if not pieces:
            return told, None
        judgement = self._judged([piece.score for piece in pieces], self.reference.told_by(tokenizer))
        told |= {"told_by": tokenizer.resolution, "written": pieces[0].provenance}
        told |= {"fallbacks": sum(piece.generated.fallbacks for piece in pieces), **judgement.figures}
        return told, judgement

    def music(self, paths: Sequence[Path]) -> tuple[dict[str, Any], Judgement | None]:
        """The figures of given pieces."""
        scores, unread = read_pieces(paths)
        judgement = self._judged(scores, self.reference.as_it_is())
        return {"is": "music", "told_by": "as it is", "not_read": unread, **judgement.figures}, judgement

    def _judged(self, scores: Sequence[Score], real: RealMusic) -> Judgement:
        return judge(scores, real, bars=self.request.bars, embedder=self.embedder)

    def _written(self, model: Model, name: str) -> list[Piece]:
        """Pieces of the seeds 0, 1 ... none of them chosen; in a folder of that name if they are to be kept."""
        wanted, bars, out = self.request.pieces, self.request.bars, self.request.out
        common = {"bars": bars, **({} if self.request.style is None else {"style": self.request.style})}
        common |= self.request.ask
        pieces: list[Piece] = []
        with progress_bar("generating", total=wanted * bars, unit="bars", quiet=self.quiet) as bar:
            for first in range(0, wanted, BATCH):
                count = min(BATCH, wanted - first)
                asked = {**common, "seed": first, "variations": count}
                pieces += model.write(asked, on_progress=partial(_show, bar, first * bars, count))
        if out is not None and pieces:
            folder = out / name.replace(BUILT_IN, "")
            make_folder(folder)
            for piece in pieces:
                piece.save(folder / f"seed-{piece.seed}.mid")
        return pieces

    def _likelihood(
        self, network: ScoringModel, context: int, pieces: list[Tokens], tokenizer: Tokenizer
    ) -> dict[str, Any]:
        """Bits per note and second of the held-out pieces, by field and genre."""
        total = sum(len(piece) - 1 for piece in pieces)
        with progress_bar("scoring", total=total, unit="tokens", quiet=self.quiet) as bar:
            report = bits_per_note(network, pieces, tokenizer, context=context, on_scored=bar.advance)
        told = likelihood_figures(report)
        genres = np.array(self.reference.genres(self.reference.held_out, getattr(tokenizer.config, "styles", ())))
        if len(set(genres)) > 1:
            values = {str(genre): report.values()[genres == genre] for genre in np.unique(genres)}
            told["by_genre"] = {genre: asdict(bootstrap(rows, ratio_of_sums)) for genre, rows in values.items()}
        return told


def read_pieces(paths: Sequence[Path]) -> tuple[list[Score], dict[str, str]]:
    """The pieces in files, folders and archives, and what is wrong with those that cannot be read.

    Raises MidiError where there is no music at all.
    """
    found, scores, unread = Found(), list[Score](), dict[str, str]()
    for entry in read_entries(list_inputs(paths, found).files, found):
        if isinstance(entry.content, str):
            unread[entry.name] = entry.content
            continue
        try:
            scores += [score for _, score, _ in read_all(entry.content, entry.name)]
        except MidiError as error:
            unread[entry.name] = str(error)
    if not scores:
        told = ", ".join(f"{name}: {why}" for name, why in list(unread.items())[:3])
        raise MidiError(f"there is no music in {', '.join(map(str, paths))}", found=told or None)
    return scores, unread


def likelihood_figures(report: LikelihoodReport) -> dict[str, Any]:
    """A report as plain values; intervals are of 95 %, over pieces."""
    return {
        "bits_per_note": asdict(report.interval("note")),
        "bits_per_second": asdict(report.interval("second")),
        "by_field": {name: asdict(report.interval("note", name)) for name in report.fields},
        "bits_per_token": report.bits_per_token,
        "perplexity": report.perplexity,
        "pieces": len(report.piece_notes),
        "notes": report.notes,
        "resolution": report.resolution,
    }


def _baselines(learned: list[Tokens], held_out: list[Tokens], tokenizer: Tokenizer) -> dict[str, Any]:
    """The likelihood of the held-out pieces by what counting the others tells."""
    try:
        fitted = fit(learned, tokenizer)
    except CorpusError as error:
        return {"baselines_left_out": str(error)}
    return {"baselines": {name: likelihood_figures(each.report(held_out)) for name, each in fitted.items()}}


def _network(folder: Path, model: Model, device: str) -> tuple[ScoringModel, int]:
    """What scores music, and its context: the trained weights or, where a folder has none, its graphs row by row."""
    if not has_weights(folder):
        return SteppedModel(model.runtime), model.runtime.context
    network = load_model(folder)[0].to(choose_device(cast(DeviceName, device)))
    return network, network.config.context


def _embedder(path: Path, device: str) -> Embedder:
    """The vectors of a model, of notes alone: nobody has labelled what was generated."""
    network, experiment = load_model(path)
    network.to(choose_device(cast(DeviceName, device)))
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))
    bare = {"texts": Texts.empty(), "key_signatures": KeySignatures.empty(), "metadata": {}}
    return lambda scores: embed(network, tokenizer, [score.replace(**bare) for score in scores])


def _show(bar: ProgressBar, before: int, count: int, progress: Progress) -> None:
    bar.update(before + count * int(progress.done), tokens_per_second=progress.tokens_per_second)


def _plain(value: Any) -> Any:
    """Figures as JSON has them: what is not a number is null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
