"""What a constraint is, several at once, and how one is plugged in.

A constraint says of one field of the row being written what may be chosen (hard), what it would rather have (soft,
added to the logits), and how well a finished piece keeps it, 0..1. It keeps nothing of its own: all it knows is its
config and what has been heard. Values mean what the vocabulary of `note` says, on the metrical clock.

    class OddConfig(RuleConfig):
        name: Literal["odd"] = "odd"

    @CONSTRAINTS.register(OddConfig)
    class Odd(Rule[OddConfig]): ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from pydantic import Field

from aurl.data.tokenizers.base import Tokenizer
from aurl.data.tokenizers.note import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import WHAT, WHEN, WHO, NoteLayout
from aurl.generation.hearing import HeardPiece, Hearing
from aurl.music.score import Score
from aurl.utils.config import Config, refusal
from aurl.utils.errors import ConfigError
from aurl.utils.registry import Registry

C = TypeVar("C", bound=Config)
Mask = NDArray[np.bool_]
Bias = NDArray[np.float32]
FIELDS = range(6)


def checked(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`read` as a validator of a field: its ConfigError is told with the field's place in the configuration."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except ConfigError as error:
            raise refusal(error) from error

    return validate


def note_layout(tokenizer: Tokenizer) -> NoteLayout:
    """The layout of tokens that can be held to constraints; raises ConfigError for all others."""
    if isinstance(tokenizer, NoteTokenizer) and tokenizer.layout.is_metrical:
        return tokenizer.layout
    hint = "use a model of `note` tokens with clock=metrical"
    raise ConfigError("these tokens cannot be held to constraints", found=type(tokenizer).__name__, hint=hint)


class Constraint(ABC, Generic[C]):
    """One wish."""

    fields: ClassVar[tuple[int, ...]]
    """The fields that it has something to say about; of others it is not asked."""

    def __init__(self, config: C, layout: NoteLayout) -> None:
        self.config, self.layout = config, layout
        self.sizes = layout.vocabulary.sizes

    def allowed(
        self,
        hearing: Hearing,  # noqa: ARG002 -- for those who forbid
        pieces: Int[np.ndarray, " r"],  # noqa: ARG002
        field: int,  # noqa: ARG002
        chosen: Int[np.ndarray, "r i"],  # noqa: ARG002
    ) -> Bool[np.ndarray, "r v"] | None:
        """What may be chosen; None: anything."""
        return None

    def bias(
        self,
        hearing: Hearing,  # noqa: ARG002 -- for those who prefer
        pieces: Int[np.ndarray, " r"],  # noqa: ARG002
        field: int,  # noqa: ARG002
        chosen: Int[np.ndarray, "r i"],  # noqa: ARG002
    ) -> Float[np.ndarray, "r v"] | None:
        """What is added to the logits; None: nothing."""
        return None

    @abstractmethod
    def score(self, score: Score) -> float:
        """How well a finished piece keeps the wish, 0..1; 1 for a piece that says nothing about it."""


CONSTRAINTS: Registry[Constraint[Any]] = Registry("constraints")


class Law(Constraint[C]):
    """A constraint that is one mask of each piece, and always hard."""

    @abstractmethod
    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:
        """What is allowed in `field` `[v]`, given the row's earlier fields; None: anything. Not to be changed."""

    def allowed(
        self, hearing: Hearing, pieces: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r i"]
    ) -> Bool[np.ndarray, "r v"] | None:
        """The masks of the pieces."""
        rows = zip(pieces.tolist(), chosen.tolist(), strict=True)
        return stacked([self.mask(hearing.pieces[piece], field, row) for piece, row in rows], True, self.sizes[field])


class RuleConfig(Config):
    """Of a rule that forbids, or only disapproves."""

    strength: Literal["hard"] | Annotated[float, Field(gt=0, le=100)] = "hard"
    """`hard` forbids; a number is taken from the logits of what breaks the rule: 1 makes it 2.7 times less likely."""


R = TypeVar("R", bound=RuleConfig)


class Rule(Law[R]):
    """A constraint that is one mask of each piece, hard or soft."""

    def __init__(self, config: R, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self.is_hard = config.strength == "hard"
        self._penalty = np.float32(0 if isinstance(config.strength, str) else -config.strength)

    def allowed(
        self, hearing: Hearing, pieces: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r i"]
    ) -> Bool[np.ndarray, "r v"] | None:
        """The masks, if hard."""
        return super().allowed(hearing, pieces, field, chosen) if self.is_hard else None

    def bias(
        self, hearing: Hearing, pieces: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r i"]
    ) -> Float[np.ndarray, "r v"] | None:
        """The strength taken from what the masks do not allow, if soft."""
        masks = None if self.is_hard else super().allowed(hearing, pieces, field, chosen)
        return None if masks is None else np.where(masks, np.float32(0), self._penalty)


class Lean(Constraint[C]):
    """A constraint that is one bias of each piece, and never hard."""

    @abstractmethod
    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:
        """What is added to the logits of `field` `[v]`, given the row's earlier fields; None: nothing."""

    def bias(
        self, hearing: Hearing, pieces: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r i"]
    ) -> Float[np.ndarray, "r v"] | None:
        """The biases of the pieces."""
        rows = zip(pieces.tolist(), chosen.tolist(), strict=True)
        leans = [self.lean(hearing.pieces[piece], field, row) for piece, row in rows]
        return stacked(leans, np.float32(0), self.sizes[field])


def stacked(rows: list[NDArray[Any] | None], neutral: Any, size: int) -> NDArray[Any] | None:
    """The rows below each other, `neutral` where there is none; None if there is none at all."""
    if len(rows) == 1:
        return None if rows[0] is None else rows[0][None]
    if all(row is None for row in rows):
        return None
    return np.stack([np.full(size, neutral) if row is None else row for row in rows])


class Constraints:
    """Several constraints on b pieces; where they contradict each other, the earlier wins."""

    def __init__(self, configs: Iterable[Config], layout: NoteLayout, batch: int) -> None:
        self.hearing = Hearing(layout, batch)
        self.constraints: list[tuple[str, Constraint[Any]]] = []
        for config in configs:
            name, same = str(config.name), sum(n.partition("#")[0] == config.name for n, _ in self.constraints)  # type: ignore[attr-defined]
            self.constraints.append((f"{name}#{same + 1}" if same else name, CONSTRAINTS.build(config, layout)))
        self.dropped = {name: np.zeros(batch, np.int64) for name, _ in self.constraints}
        """For how many choices of each piece a constraint was dropped, because it would have left nothing."""
        self._of_field = [[each for each in self.constraints if field in each[1].fields] for field in FIELDS]
        kinds = ("pitch", "drum")
        self._pitches, self._drums = (slice(layout.first[kind], layout.end[kind]) for kind in kinds)

    def apply(
        self,
        pieces: Int[np.ndarray, " r"],
        field: int,
        chosen: Int[np.ndarray, "r i"],
        legal: Bool[np.ndarray, "r v"],
    ) -> tuple[Bool[np.ndarray, "r v"], Float[np.ndarray, "r v"] | None]:
        """What of `legal` is left to choose from, never nothing, and what is to be added to the logits."""
        bias: Any = None
        for name, constraint in self._of_field[field]:
            mask = constraint.allowed(self.hearing, pieces, field, chosen)
            if mask is not None:
                legal = self._within(name, pieces, legal, mask)
            added = constraint.bias(self.hearing, pieces, field, chosen)
            if added is not None:
                bias = added if bias is None else bias + added
        if (field == WHEN and self._of_field[WHO]) or (field in (WHEN, WHO) and self._of_field[WHAT]):
            legal = self._with_something_to_say(pieces, field, chosen, legal)
        return legal, bias

    def hear(self, pieces: Int[np.ndarray, " r"], rows: Int[np.ndarray, "r f"]) -> None:
        """A row was written, or given, in each of `pieces`."""
        self.hearing.hear(pieces, rows)

    def select(self, pieces: Int[np.ndarray, " b2"]) -> None:
        """Piece i goes on from the old piece `pieces[i]`."""
        self.hearing.select(pieces)
        self.dropped = {name: counts[pieces] for name, counts in self.dropped.items()}

    def score(self, score: Score) -> float:
        """How well a finished piece keeps them, on average; 1 without constraints."""
        scores = self.scores(score).values()
        return sum(scores) / len(scores) if scores else 1.0

    def scores(self, score: Score) -> dict[str, float]:
        """How well a finished piece keeps each."""
        return {name: constraint.score(score) for name, constraint in self.constraints}

    def _within(self, name: str, pieces: Int[np.ndarray, " r"], legal: Mask, mask: Mask) -> Mask:
        """`legal` within `mask` in the rows that this leaves something; the others count as dropped."""
        both = legal & mask
        has_some = np.asarray(both.any(axis=1))
        if has_some.all():
            return both
        np.add.at(self.dropped[name], pieces[~has_some], 1)
        return np.where(has_some[:, None], both, legal)

    def _with_something_to_say(self, pieces: NDArray[Any], field: int, chosen: NDArray[Any], legal: Mask) -> Mask:
        """`legal` without going on at the last row's time, or with its track, where no pitch is left above its own."""
        for row, index in enumerate(pieces.tolist()):
            piece = self.hearing.pieces[index]
            when = piece.time + 1
            if not piece.floor or (field == WHO and chosen[row, WHEN] != when):
                continue
            value = when if field == WHEN else piece.who
            if not (value < legal.shape[1] and legal[row, value]) or (
                field == WHEN and self._others_follow(index, when)
            ):
                continue
            if not self._goes_on(index, when) and np.count_nonzero(legal[row]) > 1:
                legal = legal.copy()
                legal[row, value] = False
        return legal

    def _others_follow(self, index: int, when: int) -> bool:
        """Whether a track after that of the last row may play at its time."""
        piece = self.hearing.pieces[index]
        first, end = piece.who + 1, len(piece.programs) + 1
        if piece.fill >= 0 or first >= end:
            return False
        allowed = self._hard(index, WHO, [when])
        return allowed is None or bool(allowed[first:end].any())

    def _goes_on(self, index: int, when: int) -> bool:
        """Whether the track of the last row has a pitch left at its time; labels are not counted."""
        piece = self.hearing.pieces[index]
        if piece.who == 0:
            return True
        whos = self._hard(index, WHO, [when])
        if whos is not None and not whos[piece.who]:
            return False
        kind = self._drums if piece.is_drum(piece.who) else self._pitches
        first = max(piece.floor, kind.start)
        if first >= kind.stop:
            return False
        allowed = self._hard(index, WHAT, [when, piece.who])
        return allowed is None or bool(allowed[first : kind.stop].any())

    def _hard(self, index: int, field: int, chosen: list[int]) -> Mask | None:
        """What all constraints together allow one piece."""
        pieces, row = np.array([index]), np.array([chosen])
        masks = [each.allowed(self.hearing, pieces, field, row) for _, each in self._of_field[field]]
        found = [mask[0] for mask in masks if mask is not None]
        return np.asarray(np.logical_and.reduce(found)) if found else None
