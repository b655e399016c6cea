"""Aurl: a folder of MIDI becomes a trained model, and the model becomes music."""

__version__ = "0.1.0"
