"""MidiTok behind our contract: its own ids, legal rows, a clock, decoding that never fails, vocabularies it trained."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.data.embedded import chorales_archive
from aurl.data.tokenizers import TOKENIZERS
from aurl.data.tokenizers.miditok_adapter import DEFAULTS, MidiTokConfig, MidiTokTokenizer
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Notes, Score, Tempos, TimeSignatures, Track
from aurl.utils.errors import ConfigError, MissingExtraError

miditok = pytest.importorskip("miditok")
KINDS = ["REMI", "TSD", "MIDILike", "Structured", "CPWord", "Octuple"]


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> MidiTokTokenizer:
    return MidiTokTokenizer(MidiTokConfig(kind=request.param))


@pytest.fixture(scope="module")
def chorales() -> list[Score]:
    with zipfile.ZipFile(chorales_archive()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".mid")][:3]
        return [read_midi(archive.read(name)) for name in names]


def band() -> Score:
    """A piano, a bass and drums in 3/4 at 90 bpm; two bars."""
    onset = np.arange(0, 2880, 240)
    rows = [(t, 240, 60 + i, 80, 0) for i, t in enumerate(onset)]
    rows += [(t, 480, 36, 100, 1) for t in range(0, 2880, 480)] + [(t, 120, 38, 90, 2) for t in range(0, 2880, 720)]
    return Score(
        480,
        Notes(*(np.array(column) for column in zip(*rows, strict=True))),
        (Track(0), Track(33), Track(0, is_drum=True)),
        tempos=Tempos([0], [666_667]),
        time_signatures=TimeSignatures([0], [3], [4]),
    )


def test_the_ids_are_those_of_miditok(tokenizer: MidiTokTokenizer, chorales: list[Score]) -> None:
    import symusic

    peer = getattr(miditok, tokenizer.config.kind)(miditok.TokenizerConfig(**DEFAULTS))
    for score in [*chorales, band()]:
        expected = peer(symusic.Score.from_midi(midi_bytes(score))).ids
        tokens = tokenizer.encode(score)
        assert tokens[1:-1].tolist() == np.reshape(expected, (-1, tokens.shape[1])).tolist()


def test_what_it_writes_is_legal_and_counts_its_notes(tokenizer: MidiTokTokenizer, chorales: list[Score]) -> None:
    for score in [*chorales, band()]:
        tokens = tokenizer.encode(score)
        assert tokenizer.grammar.first_illegal(tokens) is None
        assert tokenizer.note_count(tokens) == len(score.notes)
        kept, losses = tokenizer.canonical(score)
        assert len(kept.notes) == len(score.notes)
        assert losses.summary() == "nothing is lost"


@settings(max_examples=20)
@given(st.data())
def test_any_numbers_decode(data: st.DataObject) -> None:
    tokenizer = MidiTokTokenizer(MidiTokConfig(kind=data.draw(st.sampled_from(["REMI", "CPWord"]))))
    shape = (data.draw(st.integers(0, 40)), len(tokenizer.vocabulary.fields))
    rows = data.draw(arrays(np.int64, shape, elements=st.integers(-3, 700)))
    assert isinstance(tokenizer.decode(rows), Score)
    assert len(tokenizer.clock(rows).seconds) == len(rows)
    assert tokenizer.note_count(rows) >= 0


@pytest.mark.parametrize("seed", range(4))
def test_any_legal_piece_decodes(tokenizer: MidiTokTokenizer, seed: int) -> None:
    rng, grammar, end = np.random.default_rng(seed), tokenizer.grammar, tokenizer.vocabulary.end
    state, rows = grammar.initial, []
    while len(rows) < 60 and not (rows and (rows[-1] == end).all()):
        row: list[int] = []
        for field in range(len(end)):
            row.append(int(rng.choice(np.flatnonzero(grammar.mask(state, field, row)))))
        rows.append(np.array(row))
        state = grammar.advance(state, row)
    piece = np.stack(rows)
    assert grammar.first_illegal(piece) is None
    tokenizer.decode(piece)


@pytest.mark.parametrize("kind", ["REMI", "TSD", "MIDILike", "CPWord", "Octuple"])
def test_the_clock_reads_bars_beats_and_tempo(kind: str) -> None:
    tokenizer, score = MidiTokTokenizer(MidiTokConfig(kind=kind)), band()
    clock = tokenizer.clock(tokenizer.encode(score))
    last = 6.0 if kind == "MIDILike" else 5.5  # the last note-off, or the last onset: lengths do not move the clock
    assert clock.beats[-1] == pytest.approx(last)
    assert clock.bars[-1] == (2 if last == 6 else 1)
    assert clock.seconds[-1] == pytest.approx(last * 60 / 90, rel=0.05)  # tempos come in steps
    assert (np.diff(clock.seconds) >= 0).all()


def test_the_clock_counts_beats_of_the_metre() -> None:
    tokenizer = MidiTokTokenizer(MidiTokConfig(kind="TSD"))
    names = {name: number for number, name in enumerate(tokenizer.vocabulary.fields[0].tokens)}
    rows = np.array([[names["TimeSig_6/8"]], [names["TimeShift_6.0.4"]], [names["TimeShift_1.0.8"]]])
    clock = tokenizer.clock(rows)
    assert clock.beats.tolist() == [0, 3, 3.5]
    assert clock.bars.tolist() == [0, 1, 1]


def test_an_empty_score_and_empty_tokens_are_fine(tokenizer: MidiTokTokenizer) -> None:
    tokens = tokenizer.encode(Score())
    assert tokenizer.grammar.first_illegal(tokens) is None
    assert len(tokenizer.decode(tokens).notes) == 0
    assert tokenizer.decode(tokens[:0]) == Score()


def test_it_is_pickled_by_its_configuration(tokenizer: MidiTokTokenizer) -> None:
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.fingerprint == tokenizer.fingerprint
    assert np.array_equal(again.encode(band()), tokenizer.encode(band()))


def test_octuple_says_what_it_cuts_off() -> None:
    tokenizer = MidiTokTokenizer(MidiTokConfig(kind="Octuple"))
    notes = Notes(np.arange(100) * 1920, np.full(100, 480), np.full(100, 60), np.full(100, 80), np.zeros(100))
    _, losses = tokenizer.canonical(Score(480, notes, (Track(),)))
    assert losses.counts["notes"] == 40  # its bars are numbered 0 to 59


class TestConfiguration:
    def test_the_short_name_names_kind_or_file(self) -> None:
        assert TOKENIZERS.parse("miditok:TSD") == MidiTokConfig(kind="TSD")
        assert TOKENIZERS.parse("miditok:my/own.json") == MidiTokConfig(file=Path("my/own.json"))
        assert TOKENIZERS.parse({"name": "miditok"}) == MidiTokConfig()
        assert TOKENIZERS.build(TOKENIZERS.parse("miditok:TSD")).vocabulary.fields[0].name == "token"

    def test_parameters_reach_miditok(self) -> None:
        tokenizer = MidiTokTokenizer(MidiTokConfig(kind="REMI", parameters={"num_velocities": 4}))
        names = tokenizer.vocabulary.fields[0].tokens
        assert sum(name.startswith("Velocity") for name in names) == 4
        assert tokenizer.fingerprint != MidiTokTokenizer().fingerprint

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            ({"kind": "REMY"}, "no such tokenizer"),
            ({"kind": "MusicTokenizer"}, "no such tokenizer"),
            ({"kind": "MuMIDI"}, "one stream"),
            ({"kind": "REMI", "parameters": {"one_token_stream_for_programs": False}}, "one stream"),
            ({"kind": "MMM"}, "refuses these parameters"),
            ({"file": "missing.json"}, "not a tokenizer that MidiTok saved"),
        ],
    )
    def test_what_cannot_be_used_is_refused(self, values: dict, problem: str) -> None:
        with pytest.raises(ConfigError, match=problem):
            MidiTokTokenizer(MidiTokConfig.parse(values))

    def test_without_miditok_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "miditok", None)
        with pytest.raises(MissingExtraError, match=r"aurl\[tokenizers\]"):
            MidiTokTokenizer()


@pytest.fixture(scope="module")
def file(chorales: list[Score], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    paths = [folder / f"{number}.mid" for number in range(len(chorales))]
    for path, score in zip(paths, chorales, strict=True):
        path.write_bytes(midi_bytes(score))
    tokenizer = MidiTokTokenizer().miditok
    tokenizer.train(vocab_size=len(tokenizer) + 40, files_paths=paths)
    tokenizer.save(folder / "tokenizer.json")
    return folder / "tokenizer.json"


def test_a_saved_vocabulary_writes_fewer_tokens_for_the_same_music(file: Path, chorales: list[Score]) -> None:
    trained, basic = MidiTokTokenizer(MidiTokConfig(file=file)), MidiTokTokenizer()
    for score in chorales:
        tokens, longer = trained.encode(score), basic.encode(score)
        assert len(tokens) < len(longer)
        assert trained.grammar.first_illegal(tokens) is None
        assert trained.note_count(tokens) == basic.note_count(longer) == len(score.notes)
        assert trained.decode(tokens) == basic.decode(longer)
        assert trained.clock(tokens).seconds[-1] == pytest.approx(basic.clock(longer).seconds[-1])


def test_the_names_tell_what_a_token_stands_for(file: Path) -> None:
    names = MidiTokTokenizer(MidiTokConfig(file=file)).vocabulary.fields[0].tokens
    assert names[:3] == ("pad", "start", "end")
    assert any("+" in name for name in names)


def test_another_file_is_another_tokenizer(file: Path) -> None:
    config = MidiTokConfig(file=file)
    before = MidiTokTokenizer(config).fingerprint
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    assert MidiTokTokenizer(config).fingerprint != before
    file.write_bytes(content)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b'{"tokenization": "REMI"')
    with pytest.raises(ConfigError, match=r"bad\.json"):
        MidiTokTokenizer(MidiTokConfig(file=tmp_path / "bad.json"))
