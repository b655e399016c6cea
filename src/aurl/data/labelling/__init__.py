"""How people's labels of music are written down, each convention in a module of its own.

A reader turns the bytes of a label file into `Given`: labels in quarter notes from the start of the file. It raises
CorpusError for a file that is damaged or that it would have to guess at. Whether the labels fit a certain piece of
music, and how they are kept in it, is `aurl.data.labels`' to know.
"""

from aurl.data.labelling.base import Given, Spans
from aurl.data.labelling.lead_sheets import read_key, read_lead_sheet
from aurl.data.labelling.pop909 import MELODY_SUFFIX, read_sections, split_chord_track
from aurl.data.labelling.roman_files import read_beethoven, read_dezrann, read_romantext

__all__ = [
    "MELODY_SUFFIX",
    "Given",
    "Spans",
    "read_beethoven",
    "read_dezrann",
    "read_key",
    "read_lead_sheet",
    "read_romantext",
    "read_sections",
    "split_chord_track",
]
