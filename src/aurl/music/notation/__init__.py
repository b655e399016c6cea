"""Notation (MusicXML, ABC, Humdrum kern) to Score: what is written becomes what is played.

`musicxml`, `abc` and `kern` read a format into a `written.WrittenScore`: bars, parts, repeats, all in fractions of a
quarter note. `unfolding` says in which order the bars are played, `playing` turns them into a Score. The grammar of
MusicXML and ABC is music21's (extra `notation`), that of kern Aurl's; XML is checked by defusedxml first.
"""
