"""Recognisers of what music does: chords, keys, melody. A study turns a score into an annotation."""
