"""Beam search: the likeliest piece rather than a likely one, grammar, plan and constraints obeyed as ever.

A row is searched field by field: of each piece the likeliest beginnings of its next row go on; of all rows that this
gives to all pieces those are kept that make the likeliest pieces, by the mean log-probability of a row, so that a piece
that ended early has no advantage. What is given costs nothing; what soft constraints add counts as the model's own.
The pieces of a beam begin alike and draw nothing, so seeds mean nothing here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from aurl.generation.engine import Engine


class BeamEngine(Engine):
    """An engine whose pieces are the beams of one piece, the likeliest first."""

    def __init__(self, *parts: Any, **named: Any) -> None:
        """As an Engine; all pieces are alike so far, so that one of them counts."""
        super().__init__(*parts, **named)
        width = len(self.alive)
        self._scores = np.where(np.arange(width) == 0, 0.0, -np.inf)
        self._rows = np.zeros(width, np.int64)

    def step(self, may_end: Bool[np.ndarray, " b"]) -> None:
        """Go on with the likeliest of all continuations, a row longer; pieces that are over stay as they are."""
        self._catch_up()
        width = len(self.alive)
        pieces, over = np.flatnonzero(self.alive), np.flatnonzero(~self.alive)
        rows, gains = self._continuations(pieces, may_end.tolist(), width)
        parents = np.concatenate([np.repeat(pieces, rows.shape[1]), over])
        scores = self._scores[parents] + np.concatenate([gains.ravel(), np.zeros(len(over))])
        lengths = self._rows[parents] + self.alive[parents]
        best = np.argsort(-scores / np.maximum(lengths, 1), kind="stable")[:width]
        self.select(parents[best])
        self._scores, self._rows = scores[best], lengths[best]
        self.alive &= self._scores > -np.inf  # there were fewer than `width` ways to go on
        going = np.flatnonzero(self.alive)
        self._write(going.tolist(), rows.reshape(-1, rows.shape[2])[best[going]].tolist())

    def _continuations(
        self, pieces: Int[np.ndarray, " r"], may_end: list[bool], width: int
    ) -> tuple[Int[np.ndarray, "r w f"], Float[np.ndarray, "r w"]]:
        """The `width` likeliest rows for each of `pieces`, and their log-probabilities; -inf where there are fewer."""
        fields, count = len(self.pad), len(pieces)
        rows = np.tile(self.pad, (count, 1, 1))
        gains = np.zeros((count, 1))
        for field in range(fields):
            logs = np.stack([self._logs(pieces, field, rows[:, n], may_end) for n in range(rows.shape[1])], axis=1)
            totals = (gains[:, :, None] + logs).reshape(count, -1)
            kept = np.argsort(-totals, axis=1, kind="stable")[:, :width]
            gains = np.take_along_axis(totals, kept, axis=1)
            rows = np.take_along_axis(rows, (kept // logs.shape[2])[:, :, None], axis=1)
            rows[:, :, field] = kept % logs.shape[2]
        return rows, gains

    def _logs(
        self, pieces: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r f"], may_end: list[bool]
    ) -> Float[np.ndarray, "r v"]:
        """Log-probabilities of the values of a field after the fields `chosen` before it; NaN counts as the least."""
        rows = zip(pieces.tolist(), chosen[:, :field].tolist(), strict=True)
        choices = [self._legal(piece, field, row, may_end=may_end[piece]) for piece, row in rows]
        legal = np.array([mask for mask, _ in choices])
        if (legal.sum(axis=1) == 1).all():
            return np.where(legal, 0.0, -np.inf)
        bias = np.array([np.zeros(len(mask)) if added is None else added for mask, added in choices])
        everyone = np.tile(self.pad, (len(self.alive), 1))
        everyone[pieces] = chosen
        logits = self._logits(field, everyone[:, :field])[pieces].astype(np.float64)
        bounded = np.nan_to_num(logits + bias, nan=LEAST, posinf=-LEAST, neginf=LEAST)
        bounded -= np.where(legal, bounded, -np.inf).max(axis=1, keepdims=True)
        mass = np.where(legal, np.exp(np.maximum(bounded, LEAST)), 0).sum(axis=1, keepdims=True)
        return np.where(legal, np.maximum(bounded, LEAST) - np.log(np.maximum(mass, 1)), -np.inf)


LEAST = -1e9
"""A logit that stands for minus infinity among legal values."""
