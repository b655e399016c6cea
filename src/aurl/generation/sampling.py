"""From logits to a choice: masks, filters and one uniform number a row, all numpy.

Arrays are b rows (pieces written side by side) by v values of one field; -inf is what cannot be chosen. A filter is a
pure function logits -> logits, and what it does to a row depends on that row alone, to the last bit. It is given rows
whose likeliest value is not far from 0 (`below_top`). Of equally likely values the lower index counts as the likelier,
so "the k likeliest" are always k. Nothing here knows tokens or models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from aurl.utils.config import Config
from aurl.utils.errors import UnknownNameError

Logits = Float[np.ndarray, "b v"]
Filter = Callable[[Logits], Logits]
_LOWEST = np.finfo(np.float64).min


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
    """Draws one value a row from what the mask allows, with the filters that a config switches on."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self.window = config.window
        self.filters = build_filters(config)
        self.mass = 1.0
        """The `top_p` that is left to the draw, which needs the same weights, where it is the last filter."""
        if self.filters and getattr(self.filters[-1], "func", None) is keep_top_p:
            self.mass = config.top_p
            self.filters.pop()

    def __call__(
        self,
        logits: Logits,
        legal: Bool[np.ndarray, "b v"],
        uniforms: Float[np.ndarray, " b"],
        recent: Int[np.ndarray, "b w"],
    ) -> tuple[Int[np.ndarray, " b"], Bool[np.ndarray, " b"]]:
        """Values drawn, and which rows had no usable logit left and took the likeliest legal value instead.

        `uniforms` lie in [0, 1); `recent` holds values of the tokens before, within the window, -1 where there is
        none. NaN counts as -inf.
        """
        (possible,) = np.logical_or.reduce(legal, axis=0).nonzero()  # often few: what costs works on these
        masked = mask(logits.take(possible, axis=1), legal.take(possible, axis=1))
        allowed = self._penalized(mask(logits, legal), recent)[:, possible] if self.window else masked
        allowed = below_top(allowed)
        for apply in self.filters:
            allowed = apply(allowed)
        weights = np.exp(allowed)
        if self.mass < 1:
            weights *= nucleus(weights, self.mass)
        cumulative = weights.cumsum(axis=1)
        lost = ~(cumulative[:, -1] > 0)
        if np.count_nonzero(lost):
            bounded = np.where(legal[:, possible], np.maximum(masked, _LOWEST), -np.inf)
            first = (likeliest(bounded) > -np.inf).cumsum(axis=1, dtype=np.float64)
            cumulative = np.where(lost[:, None], first, cumulative)
        return possible[_inverted(cumulative, uniforms)], lost

    def _penalized(self, logits: Logits, recent: Int[np.ndarray, "b w"]) -> Logits:
        if self.config.repetition_penalty != 1:
            logits = penalize_recent(logits, recent, self.config.repetition_penalty)
        if self.config.ngram and self.config.ngram_penalty != 1:
            logits = penalize_ngrams(logits, recent, self.config.ngram, self.config.ngram_penalty)
        return logits


def build_filters(config: SamplingConfig) -> list[Filter]:
    """The filters that `config` switches on, in the order they apply: temperature, top-k, top-p, min-p, typical."""
    if config.temperature == 0:
        return [likeliest]
    filters: list[tuple[bool, Filter]] = [
        (config.temperature != 1, partial(scale, temperature=config.temperature)),
        (config.top_k > 0, partial(keep_top_k, count=config.top_k)),
        (config.top_p < 1, partial(keep_top_p, mass=config.top_p)),
        (config.min_p > 0, partial(keep_min_p, ratio=config.min_p)),
        (config.typical_p < 1, partial(keep_typical, mass=config.typical_p)),
    ]
    return [function for active, function in filters if active]


def mask(logits: Logits, legal: Bool[np.ndarray, "b v"]) -> Logits:
    """Logits in float64, -inf where not legal or NaN."""
    return np.where(legal, np.fmax(logits.astype(np.float64), -np.inf), -np.inf)


def penalize_recent(logits: Logits, recent: Int[np.ndarray, "b w"], penalty: float) -> Logits:
    """Make `recent` values less likely: Keskar et al. 2019 (CTRL), section 4.1.

    The paper divides every logit, which would favour a repeat whose logit is negative; as everywhere since, negative
    ones are multiplied instead.
    """
    seen = np.zeros((len(logits), logits.shape[1] + 1), np.bool_)  # the last is for what is absent, -1
    np.put_along_axis(seen, recent, True, axis=1)
    with np.errstate(over="ignore"):
        return np.where(seen[:, :-1], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def penalize_ngrams(logits: Logits, recent: Int[np.ndarray, "b w"], length: int, penalty: float) -> Logits:
    """Make values `penalty` times less likely that would complete a run of `length` values heard before."""
    if recent.shape[1] < length:
        return logits
    runs = np.lib.stride_tricks.sliding_window_view(recent, length, axis=1)  # b n length
    latest = recent[:, recent.shape[1] - length + 1 :]
    repeats, runs_at = np.nonzero((runs[:, :, :-1] == latest[:, None]).all(axis=2))
    lowered = logits.copy()
    completing = np.zeros(logits.shape, np.bool_)
    completing[repeats, runs[repeats, runs_at, -1]] = True
    lowered[completing] = lowered[completing] - math.log(penalty) if math.isfinite(penalty) else -math.inf
    return lowered


def scale(logits: Logits, temperature: float) -> Logits:
    """Divide by the temperature; with the likeliest at 0 nothing overflows upwards."""
    with np.errstate(over="ignore"):
        return logits / temperature


def likeliest(logits: Logits) -> Logits:
    """Keep the likeliest value: temperature 0."""
    return keep_top_k(logits, count=1)


def keep_top_k(logits: Logits, count: int) -> Logits:
    """Keep the `count` likeliest values; all when there are fewer."""
    if count >= logits.shape[1]:
        return logits
    threshold = -np.partition(-logits, count - 1, axis=1)[
        :, count - 1
    ]  # negated: numpy is slow on the side where -inf repeats
    return np.where(_largest(logits, threshold, np.full(len(logits), count)), logits, -np.inf)


def keep_top_p(logits: Logits, mass: float) -> Logits:
    """Keep the smallest set of likeliest values whose probability reaches `mass`, always at least one."""
    return np.where(nucleus(np.exp(logits), mass), logits, -np.inf)


def nucleus(weights: Float[np.ndarray, "b v"], mass: float) -> Bool[np.ndarray, "b v"]:
    """The smallest set of the largest weights of each row that reaches `mass` of all of them, at least one."""
    largest = np.sort(weights, axis=1)[:, ::-1]
    reached = largest.cumsum(axis=1)
    last = (reached >= mass * reached[:, -1:]).argmax(axis=1)
    threshold = largest[np.arange(len(largest)), last]
    kept = weights >= threshold[:, None]
    is_exact = np.count_nonzero(kept) == np.add.reduce(last) + len(last)  # nothing is tied with the least that is kept
    return kept if is_exact else _largest(weights, threshold, last + 1)


def keep_min_p(logits: Logits, ratio: float) -> Logits:
    """Keep values at least `ratio` times as likely as the likeliest."""
    return np.where(below_top(logits) >= np.log(ratio), logits, -np.inf)


def keep_typical(logits: Logits, mass: float) -> Logits:
    """Keep the values whose information lies nearest to the entropy, until they reach `mass`; at least one.

    Meister, Pimentel, Wiher and Cotterell 2023, Locally typical sampling, eq. 10.
    """
    weights = np.exp(below_top(logits))
    total = weights.cumsum(axis=1)[:, -1:]  # a running sum: values of weight 0 change no bit of it
    share = weights / np.maximum(total, np.finfo(np.float64).tiny)
    surprise = -np.log(share, out=np.full_like(share, -np.inf), where=share > 0)
    possible = share > 0
    entropy = (share * np.where(possible, surprise, 0)).cumsum(axis=1)[:, -1:]
    order = np.argsort(np.where(possible, np.abs(surprise - entropy), np.inf), axis=1, kind="stable")
    before = np.take_along_axis(share, order, axis=1).cumsum(axis=1)
    kept = np.zeros(logits.shape, np.bool_)
    np.put_along_axis(kept, order, np.pad(before[:, :-1], ((0, 0), (1, 0))) < mass, axis=1)
    return np.where(kept & possible, logits, -np.inf)


def draw(logits: Logits, uniforms: Float[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
    """One value a row, in proportion to exp(logits), by inverting the cumulative distribution in float64."""
    return _inverted(np.exp(below_top(logits)).cumsum(axis=1), uniforms)


def _inverted(cumulative: Float[np.ndarray, "b v"], uniforms: Float[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
    """The first value of each row at which the running sum exceeds that share of the whole."""
    total = cumulative[:, -1]
    target = np.minimum(uniforms * total, np.nextafter(total, 0))
    return np.asarray((cumulative > target[:, None]).argmax(axis=1))


def below_top(logits: Logits) -> Logits:
    """Logits shifted so that each row's largest is 0; a row of -inf stays as it is.

    In rows that hold +inf those values alone are kept, equally likely: the limit of the softmax.
    """
    top = np.maximum.reduce(logits, axis=1, keepdims=True)
    endless = top == np.inf
    if np.count_nonzero(endless):
        logits = np.where(endless, np.where(logits == np.inf, 0.0, -np.inf), logits)
        top = np.where(endless, 0.0, top)
    return np.asarray(logits - np.maximum(top, _LOWEST))


def _largest(
    values: Logits, threshold: Float[np.ndarray, " b"], counts: Int[np.ndarray, " b"]
) -> Bool[np.ndarray, "b v"]:
    """Where the `counts` largest values of each row are, of which `threshold` is the smallest."""
    above = values > threshold[:, None]
    tied = values == threshold[:, None]
    room = counts - above.sum(axis=1)
    return np.asarray(above | (tied & (tied.cumsum(axis=1) <= room[:, None])))
