"""Figures of a score, and whether they lie where those of real music do."""

from aurl.evaluation.metrics.catalogue import METRICS, features
from aurl.evaluation.metrics.comparison import (
    ANY,
    MetricRow,
    Reference,
    beside,
    compare,
    describe,
    reference_of,
    unlikeness,
)
from aurl.evaluation.metrics.pitch import pitch_class_seconds
from aurl.evaluation.metrics.structure import is_degenerate

__all__ = [
    "ANY",
    "METRICS",
    "MetricRow",
    "Reference",
    "beside",
    "compare",
    "describe",
    "features",
    "is_degenerate",
    "pitch_class_seconds",
    "reference_of",
    "unlikeness",
]
