import pytest

from aurl.studies import STUDIES
from studies_music import block_chords, lone_melody

trained = STUDIES.build(STUDIES.parse("chords"))
templates = STUDIES.build(STUDIES.parse("chord_templates"))


@pytest.mark.parametrize("study", [trained, templates])
@pytest.mark.parametrize(
    "symbols",
    [["C", "Am", "F", "G"], ["Dm", "G7", "C/E", "F#dim"], ["Bbmaj7", "Gm7", "Eb", "F"], ["Cm", "G/B", "Ab"]],
)
def test_plain_chords_are_named_where_they_stand(study, symbols):
    annotation = study.analyse(block_chords(symbols * 2))
    assert annotation.labels == tuple(symbols * 2)
    assert annotation.beats.tolist() == [4 * i for i in range(2 * len(symbols))]


@pytest.mark.parametrize("study", [trained, templates])
def test_chords_of_one_beat_are_told_apart(study):
    symbols = ["C", "F", "G", "C", "Am", "Dm", "G", "C"]
    assert study.analyse(block_chords(symbols, beats=1)).labels == tuple(symbols)


@pytest.mark.parametrize("study", [trained, templates])
def test_silence_between_chords_is_no_chord(study):
    labels = study.analyse(block_chords(["C", "F", "N.C.", "N.C.", "N.C.", "N.C.", "G", "C"])).labels
    assert labels == ("C", "F", "N.C.", "G", "C")


def test_only_templates_say_a_sixth():
    assert "C6" in templates.analyse(block_chords(["F", "C6", "F"])).labels


def test_a_lone_melody_gets_no_chords():
    annotation = trained.analyse(lone_melody())
    assert "melody alone" in annotation.doubt
    assert trained.apply(lone_melody()) == lone_melody()


def test_harmony_with_pauses_gets_its_chords():
    score = block_chords(["C", "N.C.", "F", "N.C.", "G", "C"])
    assert trained.analyse(score).doubt == ""
    assert trained.apply(score).texts.of("chord").text.tolist() == ["C", "N.C.", "F", "N.C.", "G", "C"]
