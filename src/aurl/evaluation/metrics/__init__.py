"""Figures of a score, and whether they lie where those of real music do."""

from aurl.evaluation.metrics.basic import METRICS
from aurl.evaluation.metrics.comparison import MetricRow, compare, describe

__all__ = ["METRICS", "MetricRow", "compare", "describe"]
