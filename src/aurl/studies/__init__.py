"""Recognisers of what music does: chords, keys, melody. A study turns a score into an annotation."""

from aurl.studies.base import STUDIES, Annotation, Study
from aurl.studies.chords import ChordsConfig, ChordTemplatesConfig
from aurl.studies.keys import KeysConfig
from aurl.studies.melody import MelodyConfig

__all__ = [
    "STUDIES",
    "Annotation",
    "ChordTemplatesConfig",
    "ChordsConfig",
    "KeysConfig",
    "MelodyConfig",
    "Study",
]
