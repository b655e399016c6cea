"""Transforms: scores made more alike before they become a corpus."""

from aurl.data.preprocessing.bars import AlignBarsConfig, align_bars
from aurl.data.preprocessing.base import TRANSFORMS, StepsConfig, Transform, apply_transforms, parse_step
from aurl.data.preprocessing.pedal import PedalToDurationsConfig, pedal_to_durations
from aurl.data.preprocessing.polyphony import ReducePolyphonyConfig, reduce_polyphony
from aurl.data.preprocessing.quantise import QuantiseConfig, quantise
from aurl.data.preprocessing.range import FoldRangeConfig, TransposeConfig, fold_range, transpose_piece
from aurl.data.preprocessing.ritardando import RitardandoConfig, ritardando
from aurl.data.preprocessing.selection import SelectTracksConfig, select_tracks, track_roles
from aurl.data.preprocessing.silence import TrimSilenceConfig, trim_silence
from aurl.data.preprocessing.velocity import NormaliseVelocityConfig, normalise_velocity

__all__ = [
    "TRANSFORMS",
    "AlignBarsConfig",
    "FoldRangeConfig",
    "NormaliseVelocityConfig",
    "PedalToDurationsConfig",
    "QuantiseConfig",
    "ReducePolyphonyConfig",
    "RitardandoConfig",
    "SelectTracksConfig",
    "StepsConfig",
    "Transform",
    "TransposeConfig",
    "TrimSilenceConfig",
    "align_bars",
    "apply_transforms",
    "fold_range",
    "normalise_velocity",
    "parse_step",
    "pedal_to_durations",
    "quantise",
    "reduce_polyphony",
    "ritardando",
    "select_tracks",
    "track_roles",
    "transpose_piece",
    "trim_silence",
]
