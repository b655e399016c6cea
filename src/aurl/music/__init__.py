"""What a score is, and its way to and from MIDI, sound and picture; numpy and symusic only, never torch."""

from aurl.music.midi import read_midi, write_midi
from aurl.music.score import Notes, Score, Track

__all__ = ["Notes", "Score", "Track", "read_midi", "write_midi"]
