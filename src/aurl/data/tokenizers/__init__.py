"""Tokenizers: scores as rows of integers, and back."""

from aurl.data.tokenizers.base import TOKENIZERS, Clock, LossReport, Tokenizer
from aurl.data.tokenizers.event import EventTokenizer, EventTokenizerConfig
from aurl.data.tokenizers.grammar import Grammar
from aurl.data.tokenizers.miditok_adapter import MidiTokConfig, MidiTokTokenizer
from aurl.data.tokenizers.note import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import NoteTokenizerConfig
from aurl.data.tokenizers.vocabulary import Field, Vocabulary

__all__ = [
    "TOKENIZERS",
    "Clock",
    "EventTokenizer",
    "EventTokenizerConfig",
    "Field",
    "Grammar",
    "LossReport",
    "MidiTokConfig",
    "MidiTokTokenizer",
    "NoteTokenizer",
    "NoteTokenizerConfig",
    "Tokenizer",
    "Vocabulary",
]
