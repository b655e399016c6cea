"""What is recalled of earlier music: which passage, which of its notes, and how firmly."""

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import HOW_LOUD, WHEN, WHO
from aurl.generation.constraints import CONSTRAINTS, Constraints
from aurl.generation.constraints.reprise import Passage, Reprise, recalled
from aurl.generation.hearing import Labels
from aurl.music.score import Notes, Score, Texts, Track

TOKENIZER = NoteTokenizer()
LAYOUT, FIELDS = TOKENIZER.layout, TOKENIZER.vocabulary.fields
ONE = np.zeros(1, np.int64)
WISH = {"name": "reprise", "strength": 3, "lag": 2}


def note(position, pitch, track=0, kind="pitch", steps=24):
    return f"position:{position} / track:{track} / {kind}:{pitch} / duration:{steps} / velocity:66"


def label(position, value):
    return f"position:{position} / {value}"


@pytest.fixture(name="heard")
def heard_fixture(opening, rows_of):
    """Constraints that have heard bars: lists of rows."""

    def hear(*bars, config=WISH, **head):
        constraints = Constraints([CONSTRAINTS.parse(config)], LAYOUT, 1)
        text = ",".join(row for number, bar in enumerate(bars) for row in (["bar"] if number else []) + bar)
        rows = np.concatenate([opening(**head), rows_of(text)]) if text else opening(**head)
        constraints.hear(np.zeros(len(rows), np.int64), rows)
        return constraints

    return hear


def lean(constraints, *chosen):
    """Value by value what is added to the field after those of `chosen`, by name; where nothing, an empty dict."""
    field = len(chosen)
    row = np.array([[FIELDS[n].tokens.index(name) for n, name in enumerate(chosen)]], np.int64).reshape(1, field)
    legal = np.ones((1, LAYOUT.vocabulary.sizes[field]), np.bool_)
    allowed, bias = constraints.apply(ONE, field, row, legal)
    assert allowed.all()
    if bias is None:
        return {}
    return {FIELDS[field].tokens[value]: bias[0, value].item() for value in np.flatnonzero(bias[0])}


def test_every_field_leans_towards_the_next_note_of_the_bar_that_is_recalled(heard):
    constraints = heard([note(12, 60, 1), note(48, 62)], [note(0, 70)], [])
    assert lean(constraints) == {"position:12": 3}
    assert lean(constraints, "position:12") == {"track:1": 3}
    assert lean(constraints, "position:12", "track:1") == {"pitch:60": 3}
    assert lean(constraints, "position:12", "track:1", "pitch:60") == {"duration:24": 3}
    assert lean(constraints, "position:12", "track:1", "pitch:60", "duration:24") == {}


def test_what_was_chosen_otherwise_is_let_go_and_what_follows_it_recalled(heard):
    constraints = heard([note(12, 60, 1), note(48, 62)], [note(0, 70)], [])
    assert lean(constraints, "position:24") == {}
    assert lean(constraints, "position:48") == {"track:0": 3}
    assert lean(constraints, "position:12", "track:0") == {}
    assert lean(constraints, "position:12", "track:1", "pitch:61") == {}
    assert lean(constraints, "none") == {}
    assert lean(heard([note(12, 60)], [], [note(24, 60)])) == {"none": 1.5}


def test_a_chord_is_recalled_from_below_and_then_time_goes_on(heard):
    bar = [note(0, pitch) for pitch in (60, 64, 67)]
    assert lean(heard(bar, [], []), "position:0", "track:0") == {"pitch:60": 3}
    assert lean(heard(bar, [], bar[:1]), "position:0", "track:0") == {"pitch:64": 3}
    assert lean(heard(bar, [], bar[:2])) == {"position:0": 3}
    assert lean(heard(bar, [], bar)) == {"none": 3}
    assert lean(heard(bar, [], [note(0, 66)]), "position:0", "track:0") == {"pitch:67": 1.5}


def test_a_bar_that_goes_its_own_way_is_let_go(heard):
    bar = [note(0, 60), note(24, 62), note(48, 64)]
    assert lean(heard(bar, [], bar[:2])) == {"position:48": 3}
    assert lean(heard(bar, [], [bar[0], note(24, 63)])) == {"position:48": 2}
    assert lean(heard(bar, [], [note(0, 61), note(24, 63)])) == {"position:48": 1}


def test_before_there_is_anything_to_recall_nothing_is_said(heard):
    for bars in ([], [[]], [[note(0, 60)], []]):
        assert lean(heard(*bars)) == {}
    assert lean(heard([], [], [])) == {"none": 3}


def test_a_section_recalls_the_one_of_its_name(heard):
    a, b = [[note(0, 60)], [note(0, 62)]], [[note(12, 70)]]
    a[0].insert(0, label(0, "section:A"))
    b[0].insert(0, label(0, "section:B"))
    assert lean(heard(*a, *b, [])) == {}
    assert lean(heard(*a, *b, [label(0, "section:A")])) == {"position:0": 3}
    assert lean(heard(*a, *b, a[0], []), "position:0", "track:0") == {"pitch:62": 3}
    assert lean(heard(*a, *b, a[0], a[1], [])) == {}
    assert lean(heard(*a, *b, [label(0, "section:C")])) == {}


def test_a_section_that_begins_within_a_bar_recalls_from_there(heard):
    first = [label(48, "section:A"), note(60, 60)]
    assert lean(heard(first, [], first[:1])) == {"position:60": 3}
    early = [label(24, "section:A")]
    assert lean(heard(first, [], early)) == {"position:36": 3}


@pytest.mark.parametrize(
    ("form", "now", "best"),
    [
        ("IAABAA", 4, 1),
        ("IAABAA", 5, 2),
        ("ABAB", 2, 0),
        ("ABAB", 3, 1),
        ("AA", 1, 0),
        ("ABC", 2, None),
        ("AB", 0, None),
    ],
)
def test_of_several_it_is_the_one_in_the_same_place_of_the_form(form, now, best):
    sections = Labels()
    for number, name in enumerate(form):
        sections.add(8 * number, ord(name))
    expected = None if best is None else Passage(8 * (now - best), 8 * (best + 1))
    assert recalled(sections, 8 * now + 3) == expected


def test_a_longer_section_than_before_goes_on_freely():
    sections = Labels()
    for step, name in ((0, 1), (4, 2), (8, 1)):
        sections.add(step, name)
    assert recalled(sections, 11) == Passage(8, 4)
    assert recalled(sections, 12) is None


def test_bars_of_another_length_recall_what_fits(heard):
    three = ["metre:3/4"]
    assert lean(heard([note(80, 60)], [], three)) == {"none": 3}
    assert lean(heard([*three, note(48, 60)], [], ["metre:4/4", note(48, 60)])) == {}


def test_a_recall_in_another_key_is_transposed(heard):
    bar = [label(0, "key:C major"), label(0, "chord:C"), note(0, 60), note(0, 36, 2, "drum")]
    later = [label(0, "key:D major")]
    constraints = heard(bar, [], later)
    assert lean(constraints, "position:0") == {"none": 3, "track:0": 3}
    assert lean(constraints, "position:0", "none") == {"chord:D": 3}
    assert lean(constraints, "position:0", "track:0") == {"pitch:62": 3}
    constraints = heard(bar, [], [*later, label(0, "chord:D"), note(0, 62)])
    assert lean(constraints, "position:0", "track:2") == {"drum:36": 3}
    assert lean(heard(bar, [], [label(0, "key:A minor"), label(0, "chord:C")]), "position:0", "track:0") == {
        "pitch:60": 3
    }
    high = [label(0, "key:C major"), note(0, 127)]
    assert lean(heard(high, [], later)) == {"none": 3}


def test_chords_are_recalled_before_the_notes_that_follow_them(heard):
    bar = [label(0, "chord:C"), note(0, 60), label(48, "chord:G"), note(48, 62)]
    assert lean(heard(bar, [label(0, "chord:F")], [])) == {"position:0": 3}
    assert lean(heard(bar, [label(0, "chord:F")], []), "position:0") == {"none": 3, "track:0": 3}
    assert lean(heard(bar, [label(0, "chord:C")], []), "position:0") == {"track:0": 3}
    constraints = heard(bar, [], bar[:2])
    assert lean(constraints, "position:48") == {"none": 3, "track:0": 3}
    assert lean(constraints, "position:48", "none") == {"chord:G": 3}


def test_a_part_that_is_filled_in_recalls_its_own_notes(heard):
    bar = [label(0, "chord:C"), note(0, 60), note(12, 40, 1), note(24, 62)]
    assert lean(heard(bar, [], ["fill:1"])) == {"position:0": 3}
    assert lean(heard(bar, [], ["fill:2"])) == {"position:12": 3}
    assert lean(heard(bar, [], ["fill:3"])) == {"none": 3}
    assert lean(heard(bar, [label(0, "chord:F")], ["fill:0"]), "position:0", "none") == {"chord:C": 3}


def test_beams_go_on_with_what_they_heard(heard, rows_of):
    constraints = heard([note(12, 60)], [note(24, 60)], [])
    constraints.select(np.zeros(2, np.int64))
    constraints.hear(np.array([1]), rows_of("bar"))
    legal = np.ones((2, LAYOUT.vocabulary.sizes[WHEN]), np.bool_)
    _, bias = constraints.apply(np.arange(2), WHEN, np.zeros((2, 0), np.int64), legal)
    assert bias.argmax(axis=1).tolist() == [13, 25]


def test_loudness_is_free(heard):
    constraints = heard([note(12, 60)], [], [])
    row = np.array([[13, 1, LAYOUT.first["pitch"] + 60, 24]])
    legal = np.ones((1, LAYOUT.vocabulary.sizes[HOW_LOUD]), np.bool_)
    assert constraints.apply(ONE, HOW_LOUD, row, legal)[1] is None


@pytest.mark.parametrize(
    "others", [[], [{"name": "scale", "key": "C major"}, {"name": "density", "notes": 1.5, "strength": 8}]]
)
def test_what_is_recalled_is_legal_and_more_alike_the_stronger(walk, others, monkeypatch):
    """The walk draws evenly, so that without it bars are not alike at all; it is kept from writing sections."""
    reprise, alike = CONSTRAINTS.build(CONSTRAINTS.parse(WISH), LAYOUT), []
    whos = np.arange(LAYOUT.vocabulary.sizes[WHO])

    def allowed(self, hearing, pieces, field, chosen):
        return (whos > 0) == (chosen[:, [WHEN]] > 0) if field == WHO else None

    monkeypatch.setattr(Reprise, "allowed", allowed)
    for strength in (0.01, 4, 8):
        piece = walk([{**WISH, "strength": strength}, *others], 4, bars=12, length=400)
        assert TOKENIZER.grammar.first_illegal(piece.rows) is None
        assert not any(piece.dropped.values())
        alike.append(reprise.score(piece.score))
    assert alike[0] < 0.3 * alike[1] < alike[1] <= alike[2]


def score_of(bars, sections=()):
    """A note for each pitch of each bar, and sections by bar."""
    places = [(1920 * bar + 240 * n, pitch) for bar, pitches in enumerate(bars) for n, pitch in enumerate(pitches)]
    onset, pitch = np.array(places).reshape(-1, 2).T
    same = np.ones(len(onset), np.int64)
    notes = Notes(onset, 120 * same, pitch, 64 * same, 0 * same)
    times, names = np.array([1920 * bar for bar, _ in sections]), np.array([name for _, name in sections], object)
    kinds = np.array(["section"] * len(sections), object)
    texts = Texts(times, np.full(len(sections), -1), kinds, names) if sections else Texts.empty()
    return Score(notes=notes, tracks=(Track(0),), texts=texts)


def test_it_is_heard_in_the_bars_that_are_recalled():
    reprise = CONSTRAINTS.build(CONSTRAINTS.parse(WISH), LAYOUT)
    same, other = [60, 64, 67], [61, 63, 66]
    assert reprise.score(score_of([same, other, same, other])) == 1
    assert reprise.score(score_of([same, other, other, same])) == 0
    assert reprise.score(score_of([same, other, [72, 76], []])) == 1  # as alike as returns in real music
    assert reprise.score(score_of([same])) == 1
    form = [(0, "A"), (1, "B"), (3, "a")]
    assert reprise.score(score_of([same, other, same, same], form)) == 1
    assert reprise.score(score_of([same, other, same, other], form)) == 0
