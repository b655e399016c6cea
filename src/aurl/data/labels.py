"""Labels that people gave a piece, read from the files beside it."""

LABEL_SUFFIXES = (".chords.json", ".labels.json", ".dez.json", ".rn.txt", ".struct1.txt", ".meta.json")
"""Endings of the files that hold labels of the piece whose name they begin with."""
