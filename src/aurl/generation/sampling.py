"""From logits to a choice: filters and one uniform number, all numpy, one row at a time.

Arrays are the v values of one field that may be chosen. A row is drawn by itself, so that it is the same to the last
bit whatever is drawn beside it. A filter is a pure function weights -> weights: probabilities up to a factor, of which
the largest is 1 and 0 is what cannot be chosen. Of equally likely values the lower index counts as the likelier, so
"the k likeliest" are always k. Nothing here knows tokens or models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from aurl.utils.config import Config
from aurl.utils.errors import UnknownNameError

Logits = Float[np.ndarray, " v"]
Weights = Float[np.ndarray, " v"]
Filter = Callable[[Weights], Weights]
_LOWEST = float(np.finfo(np.float64).min)
_NIL = -800.0
"""A logit whose exponential is 0."""


class SamplingConfig(Config):
    """How a value is drawn from what the model thinks likely; the defaults draw from the model as it is."""

    temperature: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Divides the logits: below 1 bolder, above 1 more even; 0 always takes the likeliest."""
    top_k: int = Field(0, ge=0)
    """Keep the k likeliest values; 0 is off."""
    top_p: float = Field(1.0, ge=0, le=1)
    """Keep the likeliest values that together reach this probability (Holtzman et al. 2020); 1 is off."""
    min_p: float = Field(0.0, ge=0, le=1)
    """Keep values at least this likely relative to the likeliest (Nguyen et al. 2024); 0 is off."""
    epsilon: float = Field(0.0, ge=0, le=1)
    """Keep values that are at least this probable, and the likeliest (Hewitt et al. 2022); 0 is off.

    Where many values are likely it cuts the tail, where one is nearly sure it leaves the rare exception: `top_p` and
    low temperatures forbid those, and a piece that repeats itself never stops.
    """
    typical_p: float = Field(1.0, gt=0, le=1)
    """Keep the values whose surprise is nearest to the expected, up to this mass (Meister et al. 2023); 1 is off."""
    temperatures: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Temperatures of single fields of a row, by name ("what": 0.9), in place of `temperature`."""
    repetition_penalty: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Divides positive and multiplies negative logits of recent values; above 1 avoids repeats, 1 is off."""
    repetition_window: int = Field(256, ge=1)
    """How many tokens back a value counts as recent."""
    ngram: int = Field(0, ge=0, le=64)
    """Length of a run of one field's values that is not to come again within the window; 0 is off."""
    ngram_penalty: float = Field(4.0, ge=1)
    """How many times less likely a value becomes that would complete such a run; infinite forbids it."""

    @property
    def window(self) -> int:
        """How many tokens back the penalties look; 0 when they are off."""
        is_on = self.repetition_penalty != 1 or (self.ngram and self.ngram_penalty != 1)
        return self.repetition_window if is_on else 0


def build_samplers(config: SamplingConfig, fields: Sequence[str]) -> list[Sampler]:
    """A sampler for each field of a row; raises UnknownNameError for a temperature of a field that there is not."""
    for name in config.temperatures:
        if name not in fields:
            raise UnknownNameError.among("field", name, fields)
    told = [config.temperatures.get(name, config.temperature) for name in fields]
    return [Sampler(config.model_copy(update={"temperature": temperature})) for temperature in told]


class Sampler:
    """Draws a value of those that are possible, with the filters that a config switches on."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self.temperature = config.temperature or 1.0
        self.filters = build_filters(config)

    def __call__(
        self, logits: Logits, possible: Int[np.ndarray, " n"], uniform: float, recent: Int[np.ndarray, " w"]
    ) -> tuple[int, bool]:
        """The value drawn, and whether no usable logit was left and the likeliest that is possible was taken instead.

        `possible` are the values to choose from, ascending; `uniform` lies in [0, 1); `recent` holds the values of
        the tokens before, within the window, the latest last. NaN counts as -inf.
        """
        penalized = self._penalized(logits.astype(np.float64), recent) if len(recent) else logits
        weights = weigh(penalized.take(possible), self.temperature)
        for apply in self.filters:
            weights = apply(weights)
        drawn = draw(weights, uniform)
        if drawn is not None:
            return possible.item(drawn), False
        return possible.item(np.fmax(logits.take(possible), -np.inf).argmax()), True

    def _penalized(self, logits: Logits, recent: Int[np.ndarray, " w"]) -> Logits:
        if self.config.repetition_penalty != 1:
            logits = penalize_recent(logits, recent, self.config.repetition_penalty)
        if self.config.ngram and self.config.ngram_penalty != 1:
            logits = penalize_ngrams(logits, recent, self.config.ngram, self.config.ngram_penalty)
        return logits


def build_filters(config: SamplingConfig) -> list[Filter]:
    """The filters that `config` switches on, in the order they apply: top-k and top-p, min-p, epsilon, typical."""
    if config.temperature == 0:
        return [partial(keep_likeliest, count=1)]
    filters: list[tuple[bool, Filter]] = [
        (config.top_k > 0 or config.top_p < 1, partial(keep_likeliest, count=config.top_k, mass=config.top_p)),
        (config.min_p > 0, partial(keep_min_p, ratio=config.min_p)),
        (config.epsilon > 0, partial(keep_epsilon, least=config.epsilon)),
        (config.typical_p < 1, partial(keep_typical, mass=config.typical_p)),
    ]
    return [function for active, function in filters if active]


def penalize_recent(logits: Logits, recent: Int[np.ndarray, " w"], penalty: float) -> Logits:
    """Make `recent` values less likely: Keskar et al. 2019 (CTRL), section 4.1.

    The paper divides every logit, which would favour a repeat whose logit is negative; as everywhere since, negative
    ones are multiplied instead.
    """
    penalized, values = logits.copy(), np.unique(recent)
    seen = logits[values]
    with np.errstate(over="ignore"):
        penalized[values] = np.where(seen > 0, seen / penalty, seen * penalty)
    return penalized


def penalize_ngrams(logits: Logits, recent: Int[np.ndarray, " w"], length: int, penalty: float) -> Logits:
    """Make values `penalty` times less likely that would complete a run of `length` values heard before."""
    if len(recent) < length:
        return logits
    runs = np.lib.stride_tricks.sliding_window_view(recent, length)  # n length
    latest = recent[len(recent) - length + 1 :]
    completing = np.unique(runs[(runs[:, :-1] == latest).all(axis=1), -1])
    lowered = logits.copy()
    lowered[completing] = lowered[completing] - math.log(penalty) if math.isfinite(penalty) else -math.inf
    return lowered


def weigh(logits: Logits, temperature: float = 1.0) -> Weights:
    """Probabilities up to a factor, the largest 1; all are 0 if no logit is above -inf.

    Where there is +inf, those values alone are possible, equally likely: the limit of the softmax.
    """
    top = logits.item(logits.argmax())  # NaN, if there is any
    if not math.isfinite(top):
        logits = np.fmax(logits, -np.inf)
        top = logits.item(logits.argmax())
        if top == math.inf:
            return np.where(logits == np.inf, 1.0, 0.0)
    below = np.subtract(logits, max(top, _LOWEST), dtype=np.float64)
    if temperature != 1:
        np.maximum(below, _NIL * temperature, out=below)  # nothing overflows
        below /= temperature
    return np.asarray(np.exp(below, out=below))


def keep_likeliest(weights: Weights, count: int = 0, mass: float = 1.0) -> Weights:
    """Keep the `count` likeliest values, 0 being all; of these the fewest likeliest that reach the share `mass`.

    The second is nucleus sampling: Holtzman et al. 2020. At least one value is kept.
    """
    size = len(weights)
    count = min(count, size) or size
    largest = weights.copy()
    if count < size:
        largest.partition(size - count)
        largest = largest[size - count :]
    if mass < 1:
        largest.sort()
        reached = largest[::-1].cumsum()
        count = int(reached.searchsorted(mass * reached.item(-1))) + 1
    if count == size:
        return weights
    least = largest.item(-count)
    kept = weights >= least
    surplus = np.count_nonzero(kept) - count
    if surplus:
        kept[(weights == least).nonzero()[0][-surplus:]] = False
    return np.asarray(weights * kept)


def keep_min_p(weights: Weights, ratio: float) -> Weights:
    """Keep values at least `ratio` times as likely as the likeliest."""
    return np.asarray(weights * (weights >= ratio))


def keep_epsilon(weights: Weights, least: float) -> Weights:
    """Keep values of at least the probability `least`, and the likeliest.

    Hewitt, Manning and Liang 2022, Truncation sampling as language model desmoothing, section 4.1.
    """
    return np.asarray(weights * (weights >= min(least * weights.sum(), weights.max())))


def keep_typical(weights: Weights, mass: float) -> Weights:
    """Keep the values whose information lies nearest to the entropy, until they reach `mass`; at least one.

    Meister, Pimentel, Wiher and Cotterell 2023, Locally typical sampling, eq. 10.
    """
    (possible,) = weights.nonzero()
    if not len(possible):
        return weights
    share = weights[possible] / weights[possible].sum()
    surprise = -np.log(share)
    order = np.abs(surprise - (share * surprise).sum()).argsort(kind="stable")
    before = share[order].cumsum() - share[order]
    kept = np.zeros_like(weights)
    kept[possible[order[before < mass]]] = 1
    return np.asarray(kept * weights)


def draw(weights: Weights, uniform: float) -> int | None:
    """The first value at which the running sum exceeds that share of the whole; None if all weigh nothing."""
    reached = weights.cumsum()
    total = reached.item(-1)
    if not total > 0:
        return None
    return int(reached.searchsorted(min(uniform * total, math.nextafter(total, 0)), side="right"))
