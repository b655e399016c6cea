"""What a piece is to be like stands in its tokens, whatever the model would have chosen."""

import numpy as np
import pytest

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.note_grid import chord_index
from aurl.data.tokenizers.note_tasks import metres, split_bars
from aurl.data.tokenizers.note_vocabulary import METRES, WHAT, WHEN, WHO
from aurl.generation.conditions import Conditions, opened
from aurl.generation.form import draw_form
from aurl.generation.generator import GenerationConfig, generate
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError, UnknownNameError

METRICAL = NoteTokenizer(NoteTokenizerConfig(styles=("Pop", "Jazz"), composers=("J. S. Bach",)))
PERFORMED = NoteTokenizer(NoteTokenizerConfig(clock="performed", styles=("Pop",)))


def ask(note_runtime, conditions, *, tokenizer=METRICAL, prompt=None, bars=4, **settings):
    """Two pieces that the conditions decide."""
    length = {} if "seconds" in settings else {"bars": bars}
    config = GenerationConfig(conditions=Conditions(**conditions), variations=2, **length, **settings)
    return generate(note_runtime(tokenizer), tokenizer, config, prompt=prompt)


def names(tokens, tokenizer=METRICAL):
    return [tokenizer.vocabulary.fields[WHAT].tokens[value] for value in tokens[:, WHAT]]


def told(tokens, kind, tokenizer=METRICAL):
    """All values of a kind, in order."""
    return [name.removeprefix(f"{kind}:") for name in names(tokens, tokenizer) if name.startswith(f"{kind}:")]


def labels(tokens, kind):
    """Bar, position and value of all rows of a kind."""
    bar = np.cumsum(tokens[:, WHAT] == METRICAL.layout.first["bar"]) - 1
    rows = zip(bar.tolist(), tokens[:, WHEN].tolist(), names(tokens), strict=True)
    return [(number, when - 1, name.removeprefix(f"{kind}:")) for number, when, name in rows if name.startswith(kind)]


@pytest.mark.parametrize(
    ("conditions", "kind", "value"),
    [
        ({"key": "d minor"}, "key", "D minor"),
        ({"key": "Db major"}, "key", "C# major"),
        ({"style": "jazz"}, "style", "Jazz"),
        ({"composer": "J. S. Bach"}, "composer", "J. S. Bach"),
        ({"tempo": 93}, "tempo", "92"),
        ({"density": 1.7}, "density", "<2"),
        ({"density": 50}, "density", ">=9"),
        ({"voices": 3.2}, "polyphony", "3"),
        ({"voices": 40}, "polyphony", "10"),
        ({}, "bars", "4"),
    ],
)
def test_a_control_is_told_in_the_prefix(note_runtime, conditions, kind, value):
    for piece in ask(note_runtime, conditions):
        assert told(piece.tokens, kind)[0] == value
        assert METRICAL.grammar.first_illegal(piece.tokens) is None


@pytest.mark.parametrize("metre", ["3/4", "7/8", "4/4", "2/2"])
def test_a_metre_is_held_throughout(note_runtime, metre):
    for piece in ask(note_runtime, {"metre": metre}, bars=6):
        in_force = metres(*split_bars(piece.tokens, METRICAL.layout), METRICAL.layout)
        assert {METRES[index] for index in in_force} == {tuple(map(int, metre.split("/")))}
        assert told(piece.tokens, "metre") == [metre]
        assert piece.score.end_ticks <= piece.score.metre_map.bar_to_ticks(6)


def test_instruments_are_exact_and_in_order(note_runtime):
    for piece in ask(note_runtime, {"instruments": ("flute", "drums", "40", "flute")}):
        assert told(piece.tokens, "program") == ["Flute", "Drums", "Violin", "Flute"]
        assert METRICAL.grammar.first_illegal(piece.tokens) is None


def test_a_tempo_is_of_the_beginning_and_without_one_the_model_decides(note_runtime):
    first, second = ask(note_runtime, {"tempo": 60})
    assert told(first.tokens, "tempo")[0] == told(second.tokens, "tempo")[0] == "60"
    assert (
        len({told(piece.tokens, "tempo")[0] for seed in range(3) for piece in ask(note_runtime, {}, seed=2 * seed)}) > 1
    )


@pytest.mark.parametrize("length", [{"bars": 6}, {"seconds": 14.0}])
@pytest.mark.parametrize("chords", [{"chords": "Am F C G"}, {"chords": "i VI III VII", "key": "A minor"}])
def test_chords_stand_exactly_at_their_bars_and_no_others_do(note_runtime, length, chords):
    expected = [METRICAL.layout.names("chord")[index] for index in _indices("Am", "F", "C", "G")]
    for piece in ask(note_runtime, chords, **length):
        rows, bars = labels(piece.tokens, "chord"), names(piece.tokens).count("bar")
        assert rows == [(bar, 0, expected[bar % 4]) for bar in range(len(rows))]
        assert len(rows) in (bars, bars - 1)  # where it is cut, or its last bar has no row yet
        assert METRICAL.grammar.first_illegal(piece.tokens) is None
        assert len(piece.score.notes)


def _indices(*symbols):

    return [chord_index(symbol) for symbol in symbols]


def test_chords_share_a_bar_of_any_metre(note_runtime):
    for piece in ask(note_runtime, {"chords": "Am F | C . G | %", "metre": "3/4"}, bars=3):
        places = [(bar, step) for bar, step, _ in labels(piece.tokens, "chord")]
        assert places == [(0, 0), (0, 36), (1, 0), (1, 48), (2, 0), (2, 48)]


@pytest.mark.parametrize(
    ("form", "bars", "expected"),
    [
        ("AABA", 8, [(0, "A"), (2, "A"), (4, "B"), (6, "A")]),
        ("A4 B2", 8, [(0, "A"), (4, "B")]),
        ("a:3, b", 5, [(0, "A"), (3, "B")]),
        ("ABC", 4, [(0, "A"), (1, "B"), (3, "C")]),
        ("A", None, [(0, "A")]),
        ("AB", None, [(0, "A"), (8, "B")]),
    ],
)
def test_sections_share_the_bars_or_have_theirs(note_runtime, form, bars, expected):
    length = {"bars": bars} if bars else {"seconds": 40.0, "bars": None}
    pieces = ask(note_runtime, {"sections": form, "tempo": 240, "metre": "2/4"}, **length)
    for piece in pieces:
        assert [(bar, name) for bar, step, name in labels(piece.tokens, "section")] == expected
        assert all(step == 0 for _, step, _ in labels(piece.tokens, "section"))


def test_sections_stand_before_chords(note_runtime):
    for piece in ask(note_runtime, {"sections": "AB", "chords": "C G"}):
        kinds = [name.split(":")[0] for name in names(piece.tokens) if name.startswith(("section", "chord"))]
        assert kinds == ["section", "chord", "chord", "section", "chord", "chord"]


def test_under_sections_the_model_writes_its_own_chords_but_no_sections(note_runtime):
    pieces = ask(note_runtime, {"sections": "ABA", "metre": "4/4"}, bars=6)
    for piece in pieces:
        assert [(bar, name) for bar, _, name in labels(piece.tokens, "section")] == [(0, "A"), (2, "B"), (4, "A")]
        assert METRICAL.grammar.first_illegal(piece.tokens) is None
    assert any(labels(piece.tokens, "chord") for piece in pieces)


def test_each_piece_has_a_form_of_its_own_where_one_is_drawn(note_runtime):
    pieces = ask(note_runtime, {"sections": "auto", "metre": "1/16"}, bars=40, seed=3)
    for piece in pieces:
        starts = [bar for bar, _, _ in labels(piece.tokens, "section")] + [40]
        form = [
            (name, end - bar) for (bar, _, name), end in zip(labels(piece.tokens, "section"), starts[1:], strict=True)
        ]
        assert " ".join(f"{name}{bars}" for name, bars in form) == draw_form(40, piece.seed)
    assert pieces[0].seed != pieces[1].seed


@pytest.mark.parametrize("conditions", [{}, {"chords": "C G"}, {"sections": "A"}], ids=str)
def test_a_piece_from_nothing_begins_in_its_first_bar(note_runtime, conditions):
    for seed in range(0, 40, 2):
        for piece in ask(note_runtime, conditions, seed=seed):  # of a model that would rather leave the bar
            assert (split_bars(piece.tokens, METRICAL.layout)[1][0][:, WHO] > 0).any()


@pytest.fixture
def prompt():
    same = np.ones(8, np.int64)
    notes = Notes(480 * np.arange(8), 480 * same, 60 + np.arange(8), 66 * same, 0 * same)
    return Score(notes=notes, tracks=(Track(40),))


def test_a_prompt_is_told_the_controls_and_stays_as_it_is(note_runtime, prompt):
    encoded = METRICAL.encode(prompt)[:-1]
    for piece in ask(note_runtime, {"key": "G major", "style": "Pop"}, prompt=prompt, bars=5):
        assert told(piece.tokens, "style") == ["Pop"]
        assert told(piece.tokens, "key")[0] == "G major"
        assert told(piece.tokens, "bars") == ["4"]  # the class of five
        given = piece.tokens[: piece.prompt_tokens]
        changed = np.flatnonzero((given != encoded).any(axis=1))
        assert {names(given)[row].split(":")[0] for row in changed} <= {"style", "key", "bars"}
        assert piece.score.notes.take(slice(7)) == prompt.notes.take(slice(7)) or piece.prompt_tokens == len(encoded)


def test_chords_go_on_where_the_prompt_ends(note_runtime, prompt):
    expected = [METRICAL.layout.names("chord")[index] for index in _indices("C", "D", "E")]
    for piece in ask(note_runtime, {"chords": "C D E"}, prompt=prompt, bars=5):
        rows = labels(piece.tokens, "chord")
        assert rows == [(bar, 0, expected[bar % 3]) for bar in range(2, 2 + len(rows))]
        assert len(rows) >= 3


@pytest.mark.parametrize("own", [{"metre": "3/4"}, {"tempo": 100}, {"instruments": ("flute",)}])
def test_what_a_prompt_tells_itself_is_refused(note_runtime, prompt, own):
    with pytest.raises(ConfigError, match="the prompt has its own"):
        ask(note_runtime, own, prompt=prompt, bars=5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"style": "Jaz"}, "did you mean 'Jazz'"),
        ({"composer": "free"}, "free"),
        ({"key": "H major"}, "not a key"),
        ({"metre": "9/2"}, "not a metre"),
        ({"metre": "3/5"}, "not a metre"),
        ({"instruments": ("nose flute",)}, "nose flute"),
        ({"chords": "Am Q"}, "not a chord"),
        ({"chords": "i VI"}, "numerals need a key"),
        ({"sections": "A?B"}, "not a form"),
        ({"sections": ""}, "not a form"),
        ({"sections": "ABABABAB"}, "too few"),
    ],
)
def test_what_means_nothing_is_refused(note_runtime, wrong, message):
    with pytest.raises(ConfigError, match=message):
        ask(note_runtime, wrong)


def test_a_model_that_was_told_of_no_styles_says_so(note_runtime):
    with pytest.raises(ConfigError, match="told of no style"):
        ask(note_runtime, {"style": "Pop"}, tokenizer=NoteTokenizer())
    with pytest.raises(UnknownNameError):
        ask(note_runtime, {"style": "Rock"})


@pytest.mark.parametrize("wrong", [{"metre": "waltz"}, {"tempo": 5}, {"density": 0}, {"voices": -1}, {"mood": "sad"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        Conditions.parse(wrong)


def test_performed_time_is_told_what_needs_no_bars(note_runtime):
    conditions = {"key": "C major", "style": "Pop", "tempo": 100, "instruments": ("piano", "drums"), "density": 4}
    for piece in ask(note_runtime, conditions, tokenizer=PERFORMED, seconds=5.0):
        assert PERFORMED.grammar.first_illegal(piece.tokens) is None
        assert told(piece.tokens, "program", PERFORMED) == ["Acoustic Grand Piano", "Drums"]
        assert (told(piece.tokens, "tempo", PERFORMED)[0], told(piece.tokens, "style", PERFORMED)) == ("100", ["Pop"])


@pytest.mark.parametrize("barred", [{"metre": "3/4"}, {"chords": "C"}, {"sections": "AB"}])
def test_performed_time_has_no_bars(note_runtime, barred):
    with pytest.raises(ConfigError, match="performed time has no bars"):
        ask(note_runtime, barred, tokenizer=PERFORMED, seconds=5.0)


def test_tokens_of_events_cannot_be_told(note_runtime):
    with pytest.raises(ConfigError, match="cannot be told"):
        ask(note_runtime, {"key": "C major"}, tokenizer=EventTokenizer(), seconds=5.0)
    assert Conditions().is_empty
    assert not Conditions(tempo=100).is_empty


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"chords": "C F G7 C"}, "C major"),
        ({"chords": "Bm G D A"}, "D major"),
        ({"chords": "Am", "key": "F major"}, "F major"),
    ],
)
def test_a_chart_tells_its_likeliest_key_unless_one_is_given(told, key):
    _, plan = opened(Conditions.parse(told), NoteTokenizer(), None, 4, 4)
    names = NoteTokenizer().vocabulary.fields[2].tokens
    assert names[plan.prefix["key"][0, 2]] == f"key:{key}"


def test_a_chart_without_chords_tells_no_key():
    assert "key" not in opened(Conditions(chords="N.C."), NoteTokenizer(), None, 4, 4)[1].prefix
