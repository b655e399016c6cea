"""Figures of a score, and whether they lie where those of real music do."""

from aurl.evaluation.metrics.basic import METRICS
from aurl.evaluation.metrics.comparison import MetricRow, Reference, compare, describe, reference_of, unlikeness

__all__ = ["METRICS", "MetricRow", "Reference", "compare", "describe", "reference_of", "unlikeness"]
