"""Scores to notation that a musician can read: MusicXML, and pages of it as SVG and PDF.

`page` puts a score on the grid, `staves` decides which note stands where, `spelling` names pitches, `metre` and
`rhythm` find note values, `marks` what stands above and below, `musicxml` and `part_writer` write the document;
`pages` has it engraved. Music is notated from the grid of its metre only, never from performed time.
"""

from aurl.music.engraving.keys import with_signatures
from aurl.music.engraving.musicxml import musicxml_text, write_musicxml
from aurl.music.engraving.pages import require_engraver, svg_pages, write_engraving

__all__ = ["musicxml_text", "require_engraver", "svg_pages", "with_signatures", "write_engraving", "write_musicxml"]
