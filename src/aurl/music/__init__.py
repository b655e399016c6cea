"""What a score is, and its way to and from MIDI, sound and picture; numpy and symusic only, never torch."""

from typing import TYPE_CHECKING

from aurl.music.score import Notes, Score, Track

if TYPE_CHECKING:
    from aurl.music.midi import read_midi, write_midi

__all__ = ["Notes", "Score", "Track", "read_midi", "write_midi"]


def __getattr__(name: str) -> object:
    """`read_midi` and `write_midi` when they are first asked for: symusic takes a while to import."""
    if name not in ("read_midi", "write_midi"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aurl.music import midi

    return getattr(midi, name)
