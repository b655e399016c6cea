"""From logits to a choice: masks, filters and one uniform number a row, all numpy.

Arrays are b rows (pieces written side by side) by v values of one field; -inf is what cannot be chosen. A filter is a
pure function logits -> logits, and what it does to a row depends on that row alone, to the last bit. Of equally likely
values the lower index counts as the likelier, so "the k likeliest" are always k. Nothing here knows tokens or models.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from aurl.utils.config import Config

Logits = Float[np.ndarray, "b v"]
Filter = Callable[[Logits], Logits]
FIRST_LOOK = 64
"""Values that top-p sorts first: nearly always they hold the mass asked for, and 774 need no sorting."""


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
    repetition_penalty: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Divides positive and multiplies negative logits of recent values; above 1 avoids repeats, 1 is off."""
    repetition_window: int = Field(256, ge=1)
    """How many tokens back a value counts as recent."""


class Sampler:
    """Draws one value a row from what the mask allows, with the filters that a config switches on."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self.filters = build_filters(config)

    def __call__(
        self,
        logits: Logits,
        legal: Bool[np.ndarray, "b v"],
        uniforms: Float[np.ndarray, " b"],
        recent: Int[np.ndarray, "b w"],
    ) -> tuple[Int[np.ndarray, " b"], Bool[np.ndarray, " b"]]:
        """Values drawn, and which rows had no usable logit left and took the likeliest legal value instead.

        `uniforms` lie in [0, 1); `recent` holds values of the tokens before, within the window. NaN counts as -inf.
        """
        assert legal.any(axis=1).all(), "the mask must allow a value in each row"
        masked = mask(logits, legal)
        allowed = masked
        if self.config.repetition_penalty != 1:
            allowed = penalize_recent(allowed, recent, self.config.repetition_penalty)
        allowed = finite(allowed)
        for apply in self.filters:
            allowed = apply(allowed)
        lost = np.asarray(allowed.max(axis=1) == -np.inf)
        if lost.any():
            bounded = np.where(legal, np.maximum(masked, np.finfo(np.float64).min), -np.inf)
            allowed = np.where(lost[:, None], likeliest(bounded), allowed)
        return draw(allowed, uniforms), lost


def build_filters(config: SamplingConfig) -> list[Filter]:
    """The filters that `config` switches on, in the order they apply: temperature, top-k, top-p, min-p."""
    if config.temperature == 0:
        return [likeliest]
    filters: list[tuple[bool, Filter]] = [
        (config.temperature != 1, partial(scale, temperature=config.temperature)),
        (config.top_k > 0, partial(keep_top_k, count=config.top_k)),
        (config.top_p < 1, partial(keep_top_p, mass=config.top_p)),
        (config.min_p > 0, partial(keep_min_p, ratio=config.min_p)),
    ]
    return [function for active, function in filters if active]


def mask(logits: Logits, legal: Bool[np.ndarray, "b v"]) -> Logits:
    """Logits in float64, -inf where not legal or NaN."""
    wide = logits.astype(np.float64)
    return np.where(legal & (wide == wide), wide, -np.inf)  # noqa: PLR0124  NaN is not itself


def finite(logits: Logits) -> Logits:
    """In rows that hold +inf, keep those values alone, equally likely: the limit of the softmax."""
    endless = logits == np.inf
    if not endless.any():
        return logits
    return np.where(endless, 0.0, np.where(endless.any(axis=1, keepdims=True), -np.inf, logits))


def penalize_recent(logits: Logits, recent: Int[np.ndarray, "b w"], penalty: float) -> Logits:
    """Make `recent` values less likely: Keskar et al. 2019 (CTRL), section 4.1.

    The paper divides every logit, which would favour a repeat whose logit is negative; as everywhere since, negative
    ones are multiplied instead.
    """
    seen = np.zeros(logits.shape, np.bool_)
    np.put_along_axis(seen, recent, True, axis=1)
    with np.errstate(over="ignore"):
        return np.where(seen, np.where(logits > 0, logits / penalty, logits * penalty), logits)


def scale(logits: Logits, temperature: float) -> Logits:
    """Divide by the temperature, the likeliest value shifted to 0 so that nothing overflows upwards."""
    with np.errstate(over="ignore"):
        return _below_top(logits) / temperature


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
    weights = np.exp(_below_top(logits))
    needed = mass * weights.cumsum(axis=1)[:, -1]
    size = weights.shape[1]
    width = min(FIRST_LOOK, size)
    while True:
        largest = np.sort(-np.partition(-weights, width - 1, axis=1)[:, :width], axis=1)[:, ::-1]
        reached = largest.cumsum(axis=1)
        if width == size or (reached[:, -1] >= needed).all():
            break
        width = min(4 * width, size)
    counts = np.minimum((reached < needed[:, None]).sum(axis=1) + 1, width)
    threshold = np.take_along_axis(largest, counts[:, None] - 1, axis=1)[:, 0]
    return np.where(_largest(weights, threshold, counts), logits, -np.inf)


def keep_min_p(logits: Logits, ratio: float) -> Logits:
    """Keep values at least `ratio` times as likely as the likeliest."""
    return np.where(_below_top(logits) >= np.log(ratio), logits, -np.inf)


def draw(logits: Logits, uniforms: Float[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
    """One value a row, in proportion to exp(logits), by inverting the cumulative distribution in float64."""
    cumulative = np.exp(_below_top(logits)).cumsum(axis=1)
    total = cumulative[:, -1]
    target = np.minimum(uniforms * total, np.nextafter(total, 0))
    return np.asarray((cumulative <= target[:, None]).sum(axis=1))


def _below_top(logits: Logits) -> Logits:
    """Logits shifted so that each row's largest is 0; a row of -inf stays as it is."""
    top = logits.max(axis=1, keepdims=True)
    return logits - np.where(top > -np.inf, top, 0.0)


def _largest(
    values: Logits, threshold: Float[np.ndarray, " b"], counts: Int[np.ndarray, " b"]
) -> Bool[np.ndarray, "b v"]:
    """Where the `counts` largest values of each row are, of which `threshold` is the smallest."""
    above = values > threshold[:, None]
    tied = values == threshold[:, None]
    room = counts - above.sum(axis=1)
    return np.asarray(above | (tied & (tied.cumsum(axis=1) <= room[:, None])))
