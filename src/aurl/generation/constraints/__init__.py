"""Constraints: what a piece that is being written must keep to, or should."""

from aurl.generation.constraints.base import (
    CONSTRAINTS,
    Constraint,
    Constraints,
    Law,
    Lean,
    Rule,
    RuleConfig,
    note_layout,
)
from aurl.generation.constraints.cadence import Cadence, CadenceConfig
from aurl.generation.constraints.harmony import Harmony, HarmonyConfig
from aurl.generation.constraints.pitches import Chords, ChordsConfig, Range, RangeConfig, Scale, ScaleConfig
from aurl.generation.constraints.reprise import Reprise, RepriseConfig
from aurl.generation.constraints.times import Density, DensityConfig, NoRepeat, NoRepeatConfig, Rhythm, RhythmConfig
from aurl.generation.constraints.tonality import Tonality, TonalityConfig
from aurl.generation.constraints.voices import (
    Instruments,
    InstrumentsConfig,
    Parallels,
    ParallelsConfig,
    Polyphony,
    PolyphonyConfig,
    Voices,
    VoicesConfig,
)

__all__ = [
    "CONSTRAINTS",
    "Cadence",
    "CadenceConfig",
    "Chords",
    "ChordsConfig",
    "Constraint",
    "Constraints",
    "Density",
    "DensityConfig",
    "Harmony",
    "HarmonyConfig",
    "Instruments",
    "InstrumentsConfig",
    "Law",
    "Lean",
    "NoRepeat",
    "NoRepeatConfig",
    "Parallels",
    "ParallelsConfig",
    "Polyphony",
    "PolyphonyConfig",
    "Range",
    "RangeConfig",
    "Reprise",
    "RepriseConfig",
    "Rhythm",
    "RhythmConfig",
    "Rule",
    "RuleConfig",
    "Scale",
    "ScaleConfig",
    "Tonality",
    "TonalityConfig",
    "Voices",
    "VoicesConfig",
    "note_layout",
]
