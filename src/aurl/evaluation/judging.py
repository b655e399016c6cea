"""All figures of a set of pieces beside real music: metrics, form, distances of distributions, copying, diversity.

Both sides are heard the same way: told by the same tokens or read as they are, and cut to their first bars. A figure
that so few pieces do not allow is left out, and it is said why. Knows neither models nor where pieces come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.evaluation.copying import CopyIndex, copying_report, self_similarity
from aurl.evaluation.distribution import RANGE, distances, is_inside
from aurl.evaluation.frechet import frechet, standardised
from aurl.evaluation.metrics import METRICS, features, is_degenerate
from aurl.evaluation.metrics.structure import bar_similarity
from aurl.evaluation.metrics.view import mean, view_of
from aurl.evaluation.statistics import bootstrap
from aurl.music.score import Score
from aurl.music.transforms import until
from aurl.utils.errors import CorpusError

Floats = NDArray[np.float64]
Embedder = Callable[[Sequence[Score]], Floats]
"""From pieces to a vector each, as rows."""
LAGS = range(1, 33)
"""Bars after which a piece may come back to what it said."""
FORM_LAGS = (4, 8, 16)
"""Those at which most music does."""
NEIGHBOURS = sorted({near for lag in FORM_LAGS for near in (lag - 1, lag + 1)})
"""Those at which it does not: a piece that is alike at all lags has no form."""


@dataclass(frozen=True)
class RealMusic:
    """Real pieces to judge by."""

    held_out: Sequence[Score]
    """The reference: pieces that no model has learned from."""
    learned: Sequence[Score]
    """Other real pieces, of the split that models learn from: they show how far real music lies from real music."""
    index: CopyIndex | None
    """All pieces that models learn from; None where there are none."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was found, and the values of each piece that it was found from."""

    figures: dict[str, Any]
    """Names and plain values, nested."""
    features: Floats
    """Of the pieces: [pieces, METRICS]."""
    real_features: Floats
    """Of the held-out pieces."""
    similarity: Floats
    """How like each piece is to itself some bars later: [pieces, LAGS]."""
    real_similarity: Floats


@dataclass(frozen=True)
class _Found:
    """Figures by name, and why others are not there."""

    figures: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, figure: Callable[[], Any]) -> None:
        try:
            self.figures[name] = figure()
        except CorpusError as error:
            self.left_out[name] = str(error)


def judge(
    pieces: Sequence[Score], real: RealMusic, *, bars: int | None = None, embedder: Embedder | None = None
) -> Judgement:
    """Every figure of `pieces`, of their first `bars`; real pieces are cut to as many bars as half of them have.

    Raises CorpusError where there are no pieces, or no real ones.
    """
    for what, scores in (("pieces to evaluate", pieces), ("held-out pieces to compare with", real.held_out)):
        if not scores:
            raise CorpusError(f"there are no {what}")
    heard = bars_heard(pieces, bars)
    sets = (pieces, real.held_out, real.learned)
    pieces, held_out, learned = ([_opening(score, heard) for score in each] for each in sets)
    ours, theirs, others = (features(each) for each in (pieces, held_out, learned))
    similar, really = (self_similarities(each) for each in (pieces, held_out))
    found = _Found({"pieces": len(pieces), "held_out_pieces": len(held_out), "bars": heard})
    found.figures["degenerate"] = {"pieces": _degenerate(pieces), "real": _degenerate(held_out)}
    found.figures["inside"] = _inside(ours, theirs, others)
    found.figures["metrics"] = _metrics(ours, theirs)
    for lag in FORM_LAGS:
        found.add(f"self_similarity_{lag}", partial(_form, *(_at(each, [lag]) for each in (similar, really))))
    found.add("form", partial(_form, *(_at(each, FORM_LAGS) - _at(each, NEIGHBOURS) for each in (similar, really))))
    some = _spread(len(learned), len(pieces))
    scaled = [standardised(each, theirs) for each in (ours, theirs, others[some])]
    found.add("frechet_hand_features", partial(_frechet, *scaled))
    if embedder is not None:
        vectors = map(embedder, (pieces, held_out, [learned[at] for at in some]))
        found.add("frechet_embedding", partial(_frechet, *vectors))
    found.add("copying", partial(_copying, pieces, held_out, real.index))
    found.add("diversity", partial(_diversity, pieces, held_out))
    return Judgement(found.figures | {"left_out": found.left_out}, ours, theirs, similar, really)


def bars_heard(pieces: Sequence[Score], bars: int | None) -> int:
    """How many bars of each piece are judged: as many as half of the pieces have, `bars` at most."""
    length = max(1, math.ceil(float(np.median([view_of(piece).bar_count for piece in pieces]))))
    return length if bars is None else min(bars, length)


def self_similarities(scores: Sequence[Score]) -> Floats:
    """`bar_similarity` of each score at each of LAGS; NaN where it is shorter."""
    return np.array([[bar_similarity(score, lag) for lag in LAGS] for score in scores], np.float64)


def known_mean(values: Floats) -> float:
    """The mean of what is known; NaN where nothing is."""
    return mean(values[~np.isnan(values)])


def _spread(available: int, wanted: int) -> NDArray[np.int64]:
    """As many of the available places as are wanted, or all, evenly spread."""
    return np.linspace(0, available - 1, min(available, wanted)).astype(np.int64)


def _opening(score: Score, bars: int) -> Score:
    return until(score, int(score.metre_map.bar_to_ticks(bars)))


def _degenerate(scores: Sequence[Score]) -> float:
    return float(np.mean([is_degenerate(score) for score in scores]))


def _inside(ours: Floats, theirs: Floats, others: Floats) -> dict[str, Any]:
    """Shares of figures, and of pieces with all their figures, in the 1-99 % range of the held-out pieces."""
    sets = {"pieces": is_inside(ours, theirs), "real": is_inside(others, theirs)}
    return {
        "figures": {name: mean(inside) for name, inside in sets.items()},
        "whole_pieces": {name: mean(np.atleast_1d(inside.all(axis=1))) for name, inside in sets.items()},
        "by_metric": {
            metric: {name: mean(inside[:, at]) for name, inside in sets.items()} for at, metric in enumerate(METRICS)
        },
    }


def _metrics(ours: Floats, theirs: Floats) -> dict[str, Any]:
    """Where each metric lies, and how far apart the two distributions are."""
    told = {}
    for at, row in enumerate(distances(ours, theirs, tuple(METRICS)).metrics):
        values, real = (column[~np.isnan(column)] for column in (ours[:, at], theirs[:, at]))
        low, middle, high = np.quantile(real, [RANGE[0], 0.5, RANGE[1]]).tolist() if len(real) else [math.nan] * 3
        told[row.metric] = {
            "median": float(np.median(values)) if len(values) else math.nan,
            "real_1_percent": low,
            "real_median": middle,
            "real_99_percent": high,
            "overlapped_area": row.overlapped_area,
            "divergence_nats": row.divergence_nats,
            "wasserstein": row.wasserstein,
        }
    return told


def _at(similarity: Floats, lags: Sequence[int]) -> Floats:
    """The self-similarity of each piece at some lags, mean over those that are known: [pieces]."""
    return np.array([known_mean(row) for row in similarity[:, [LAGS.index(lag) for lag in lags]]])


def _form(ours: Floats, theirs: Floats) -> dict[str, Any]:
    if np.isnan(ours).all() or np.isnan(theirs).all():
        raise CorpusError("no piece has bars so far apart", hint="evaluate longer pieces")
    return {
        name: asdict(bootstrap(values[:, None], known_mean)) for name, values in (("pieces", ours), ("real", theirs))
    }


def _frechet(ours: Floats, theirs: Floats, others: Floats) -> dict[str, Any]:
    """The distance to held-out music, beside that of as many real pieces."""
    return {"pieces": asdict(frechet(ours, theirs)), "real": asdict(frechet(others, theirs))}


def _copying(pieces: Sequence[Score], held_out: Sequence[Score], index: CopyIndex | None) -> dict[str, Any]:
    if index is None:
        raise CorpusError("there are no pieces that could have been copied", hint="give a corpus with a train split")
    report: Mapping[str, Any] = copying_report(pieces, held_out, index)
    return {line: asdict(told) | {"passed": told.passed} for line, told in report.items()}


def _diversity(pieces: Sequence[Score], held_out: Sequence[Score]) -> dict[str, Any]:
    """Notes of the longest passage that two pieces share, on average."""
    ours, theirs = self_similarity(pieces), self_similarity(held_out)
    return {line: {"pieces": asdict(ours[line]), "real": asdict(theirs[line])} for line in ours}
