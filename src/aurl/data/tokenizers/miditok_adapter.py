"""Any tokenizer of MidiTok as one of ours: `miditok:REMI`, or a saved tokenizer.json, byte-pair encoding included.

MidiTok decides what is kept, and how; its own `encode` and `decode` do the work, so ids are the same as MidiTok's.
What this module adds is the contract: `start` and `end` rows, a grammar, a clock, decoding that never fails. Rows of
all tracks must be one stream (`use_programs` with `one_token_stream_for_programs`, the default here); MuMIDI, whose
rows differ in length, is refused. MidiTok is 10 to 130 times slower than our own tokenizers (docs/TOKENIZERS.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as ConfigField
from pydantic import model_validator

from aurl.data.tokenizers.base import TOKENIZERS, Clock, LossReport, Tokenizer, Tokens
from aurl.data.tokenizers.grammar import Grammar, TableGrammar
from aurl.data.tokenizers.miditok_clock import MidiTokClock
from aurl.data.tokenizers.row_grammar import RowGrammar
from aurl.data.tokenizers.vocabulary import Field, Vocabulary
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError, MissingExtraError

logger = logging.getLogger(__name__)
DEFAULTS = dict.fromkeys(("use_programs", "one_token_stream_for_programs", "use_tempos", "use_time_signatures"), True)
SPECIAL = {"PAD_None": "pad", "BOS_None": "start", "EOS_None": "end"}
"""MidiTok's names of the rows that open, close and fill, and ours."""
UNUSED = "unused"
"""Name of an id of a trained vocabulary that stands for no token: the mark of a word's beginning."""
NOTE_TYPES = ("Pitch", "PitchDrum", "NoteOn", "DrumOn", "PitchIntervalTime", "PitchIntervalChord")
"""Types of the tokens that each begin a note."""


class MidiTokConfig(Config):
    """A tokenizer of MidiTok; `miditok:REMI` and `miditok:my/tokenizer.json` are short for `kind` and `file`."""

    name: Literal["miditok"] = "miditok"
    kind: str = "REMI"
    """Class of MidiTok: REMI, TSD, MIDILike, Structured, CPWord, Octuple ..."""
    file: Path | None = None
    """A tokenizer.json that MidiTok saved, trained or not; `kind` and `parameters` are then its own."""
    parameters: dict[str, Any] = ConfigField({})
    """Keyword arguments of MidiTok's TokenizerConfig; programs, tempos and metres are on unless said otherwise."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_name(cls, values: Any) -> Any:
        name, _, rest = str(values.get("name", "")).partition(":") if isinstance(values, dict) else ("", "", "")
        if not rest:
            return values
        return {**values, "name": name, ("file" if rest.endswith(".json") else "kind"): rest}


@TOKENIZERS.register(MidiTokConfig)
class MidiTokTokenizer(Tokenizer):
    """MidiTok behind the contract of ours."""

    VERSION: ClassVar[int] = 1

    def __init__(self, config: MidiTokConfig | None = None) -> None:
        self.config: MidiTokConfig = config or MidiTokConfig()
        self.miditok = _build(self.config)
        names = self._names
        self.vocabulary = Vocabulary(tuple(Field(*field) for field in zip(self._field_names(), names, strict=True)))
        self.grammar = self._grammar()

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["config"])  # type: ignore[misc]  # MidiTok's own objects do not all pickle

    def encode(self, score: Score) -> Tokens:
        """MidiTok's ids `[t, f]` between `start` and `end`."""
        with _quiet():
            sequence = self.miditok(_symusic(score))
        rows = np.array(sequence.ids, np.uint16).reshape(-1, len(self.vocabulary.fields))
        return np.concatenate([self.vocabulary.start[None], rows, self.vocabulary.end[None]])

    def decode(self, tokens: NDArray[Any]) -> Score:
        """The score of any array of integers, up to its first `end`; what MidiTok cannot decode is cut off."""
        from aurl.music.midi import read_midi

        rows = self._music(tokens)
        while len(rows):
            try:
                with _quiet():
                    return read_midi(self.miditok.decode(self._sequence(rows)).dumps_midi())
            except Exception as error:  # noqa: BLE001 -- MidiTok raises whatever a table of its own raises
                logger.warning("MidiTok cannot decode %d tokens (%r): half of them are left out", len(rows), error)
                rows = rows[: len(rows) // 2]
        return Score()

    def canonical(self, score: Score) -> tuple[Score, LossReport]:
        """What comes back through MidiTok, and how many notes do not."""
        kept = self.decode(self.encode(score))
        return kept, LossReport({"notes": max(0, len(score.notes) - len(kept.notes))})

    def clock(self, tokens: NDArray[Any]) -> Clock:
        """Bars, beats and seconds by MidiTok's bars, positions, shifts, metres and tempos."""
        return self._clock(tokens)

    def note_count(self, tokens: NDArray[Any]) -> int:
        """How many notes begin."""
        rows = np.clip(tokens.astype(np.int64), 0, np.array(self.vocabulary.sizes) - 1)
        return int(sum(table[column].sum() for table, column in zip(self._notes, rows.T, strict=True)))

    @property
    def fingerprint(self) -> str:
        """Changes with the configuration, with the content of `file`, and with MidiTok's version."""
        content = b"" if self.config.file is None else self.config.file.read_bytes()
        told = f"{super().fingerprint} {version('miditok')}".encode() + content
        return hashlib.sha256(told).hexdigest()[:16]

    @cached_property
    def _names(self) -> list[tuple[str, ...]]:
        """Names of the values of each field; of a trained vocabulary, the tokens that one stands for, joined by +."""
        if self.miditok.is_multi_voc:
            fields = [list(field) for field in self.miditok.vocab]
        else:
            fields = [["+".join(parts) for parts in self._parts]]
        return [tuple(SPECIAL.get(name, name) for name in names) for names in fields]

    @cached_property
    def _parts(self) -> list[list[str]]:
        """The basic tokens that each id of a one-field tokenizer stands for."""
        basic = {number: name for name, number in self.miditok.vocab.items()}
        parts = []
        for number in range(len(self.miditok)):
            sequence = self._sequence(np.array([[number]]))
            self.miditok.decode_token_ids(sequence)
            parts.append([basic[part] for part in sequence.ids] or [UNUSED])
        return parts

    def _field_names(self) -> list[str]:
        if not self.miditok.is_multi_voc:
            return ["token"]
        places: dict[int, str] = {}
        for kind, place in self.miditok.vocab_types_idx.items():
            places.setdefault(place, kind.lower())
        return [places[place] for place in range(len(self._names))]

    @cached_property
    def _notes(self) -> list[NDArray[np.int64]]:
        """How many notes each value of each field begins."""
        return [
            np.array([sum(_kind(part) in NOTE_TYPES for part in name.split("+")) for name in names])
            for names in self._names
        ]

    @cached_property
    def _special(self) -> list[list[int]]:
        """The values of each field that stand for no music."""
        known = (*SPECIAL.values(), "MASK_None", UNUSED)
        return [[number for number, name in enumerate(names) if name in known] for names in self._names]

    @cached_property
    def _clock(self) -> MidiTokClock:
        return MidiTokClock(self._names, self.miditok.config.max_num_pos_per_beat)

    def _music(self, tokens: NDArray[Any]) -> NDArray[np.int64]:
        """The rows up to the first `end` that MidiTok has values for, without special ones."""
        rows = tokens.astype(np.int64)
        ends = np.flatnonzero((rows == self.vocabulary.end).any(axis=1))
        rows = rows[: ends[0]] if len(ends) else rows
        known = ((rows >= 0) & (rows < self.vocabulary.sizes)).all(axis=1)
        for column, numbers in zip(rows.T, self._special, strict=True):
            known &= ~np.isin(column, numbers)
        return rows[known]

    def _sequence(self, rows: NDArray[Any]) -> Any:
        from miditok import TokSequence

        ids = rows.tolist() if self.miditok.is_multi_voc else rows[:, 0].tolist()
        return TokSequence(ids=ids, are_ids_encoded=self.miditok.is_trained)

    def _grammar(self) -> Grammar:
        """One field: MidiTok's graph of token types. Several: any values but the special ones, which go together."""
        if self.miditok.is_multi_voc:
            return RowGrammar(self.vocabulary, self._special)
        graph = {kind: {_kind(other) for other in others} for kind, others in self.miditok.tokens_types_graph.items()}
        ends = [(_kind(parts[0]), _kind(parts[-1])) for parts in self._parts]
        kinds = sorted({kind for pair in ends for kind in pair})
        number = {kind: index for index, kind in enumerate(kinds)}
        opening = len(kinds)
        legal = np.zeros((opening + 1, len(ends)), np.bool_)
        for state, kind in enumerate(kinds):
            allowed = graph.get(kind, set()) - {"PAD", "MASK", "BOS"}
            legal[state] = [first in allowed for first, _ in ends]
        legal[opening, self.vocabulary.start[0]] = True
        following = np.tile([number[last] for _, last in ends], (opening + 1, 1))
        return TableGrammar(legal, following, opening)


def _build(config: MidiTokConfig) -> Any:
    """The tokenizer of MidiTok; raises MissingExtraError without it and ConfigError for what it cannot be."""
    try:
        import miditok
    except ImportError:
        raise MissingExtraError.of("miditok", "tokenizers") from None
    if config.file is not None:
        tokenizer = _load(config.file)
    else:
        kinds = [name for name in miditok.__all__ if _is_tokenizer(getattr(miditok, name, None))]
        if config.kind not in kinds:
            raise ConfigError("MidiTok has no such tokenizer", found=config.kind, hint=f"known: {', '.join(kinds)}")
        try:
            with _quiet():
                settings = miditok.TokenizerConfig(**{**DEFAULTS, **config.parameters})
                tokenizer = getattr(miditok, config.kind)(settings)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ConfigError(f"MidiTok refuses these parameters of {config.kind}", found=error) from None
    if not tokenizer.one_token_stream or tokenizer.config.program_changes or type(tokenizer).__name__ == "MuMIDI":
        problem = f"{type(tokenizer).__name__} does not write all tracks as one stream of equal rows"
        hint = "set use_programs and one_token_stream_for_programs, or choose REMI, TSD, MIDILike, CPWord or Octuple"
        raise ConfigError(problem, hint=hint)
    return tokenizer


def _load(file: Path) -> Any:
    import miditok

    try:
        kind = json.loads(file.read_bytes())["tokenization"]
        with _quiet():
            return getattr(miditok, kind)(params=file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file} is not a tokenizer that MidiTok saved", found=found) from None


def _is_tokenizer(value: Any) -> bool:
    import miditok

    return isinstance(value, type) and issubclass(value, miditok.MusicTokenizer) and value is not miditok.MusicTokenizer


def _kind(name: str) -> str:
    """The type of a token by its name."""
    return name.partition("_")[0]


def _symusic(score: Score) -> Any:
    import symusic

    from aurl.music.midi import midi_bytes

    return symusic.Score.from_midi(midi_bytes(score))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MidiTok warns of what its user cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
