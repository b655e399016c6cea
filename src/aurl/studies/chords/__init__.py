"""Chord recognition: features, a trained network, templates, and the likeliest sequence."""

from aurl.studies.chords.study import ChordsConfig, ChordTemplatesConfig, TemplateChords, TrainedChords

__all__ = ["ChordTemplatesConfig", "ChordsConfig", "TemplateChords", "TrainedChords"]
