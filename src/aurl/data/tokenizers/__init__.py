"""Tokenizers: scores as rows of integers, and back."""

from aurl.data.tokenizers.base import TOKENIZERS, Clock, LossReport, Tokenizer
from aurl.data.tokenizers.event import EventTokenizer, EventTokenizerConfig
from aurl.data.tokenizers.grammar import Grammar
from aurl.data.tokenizers.vocabulary import Field, Vocabulary

__all__ = [
    "TOKENIZERS",
    "Clock",
    "EventTokenizer",
    "EventTokenizerConfig",
    "Field",
    "Grammar",
    "LossReport",
    "Tokenizer",
    "Vocabulary",
]
