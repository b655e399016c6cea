from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aurl.data import dataset as module
from aurl.data.augmentation import DropoutConfig, TransposeConfig
from aurl.data.cache import Cache
from aurl.data.course import Course
from aurl.data.dataset import TokenDataset
from aurl.data.token_cache import Block
from aurl.data.tokenizers import NoteTokenizer as RowTokenizer
from aurl.data.tokenizers import NoteTokenizerConfig, Tokenizer
from aurl.data.tokenizers.note_grammar import NoteGrammar
from aurl.data.tokenizers.tasks import TasksConfig
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError, CorpusError

PAD = 60_000


class CountingTokenizer:
    """Token t of piece p is the row (p, t); notes begin at every second token."""

    preamble, known, window = Tokenizer.preamble, Tokenizer.known, Tokenizer.window

    def __init__(self, fingerprint: str = "counting") -> None:
        self.fingerprint = fingerprint
        self.vocabulary = SimpleNamespace(pad=np.array([PAD, PAD], np.uint16))
        self.encoded: list[int] = []

    def encode(self, score):
        piece, length = int(score.metadata["piece"]), int(score.metadata["length"])
        self.encoded.append(piece)
        return np.stack([np.full(length, piece), np.arange(length)], axis=1).astype(np.uint16)

    def field_mask(self, tokens):
        return np.ones(tokens.shape, bool)

    def note_count(self, tokens):
        return int(np.count_nonzero(tokens[:, 1] % 2))


class ListCorpus:
    """Pieces of given lengths; every tenth is held out."""

    def __init__(self, lengths, cache_dir: Path) -> None:
        self.lengths, self.cache_dir = list(lengths), cache_dir
        self.description = SimpleNamespace(shards=[])
        self.fingerprint = f"corpus of {self.lengths}"
        held_out = np.arange(len(self.lengths)) % 10 == 9
        self._indices = {
            "train": np.flatnonzero(~held_out),
            "valid": np.flatnonzero(held_out),
            "test": np.zeros(0, int),
        }
        self.splits = {name: len(indices) for name, indices in self._indices.items()}

    def indices(self, split):
        return self._indices[split]

    def metadata(self, index):
        return {"genre": ("pop", "art song", "fiddle/reel")[index % 3]}

    def score(self, index):
        return Score(metadata={"piece": str(index), "length": str(self.lengths[index])})


LENGTHS = np.random.default_rng(1).integers(2, 300, 60).tolist()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test finds the tokens of another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


@pytest.fixture
def corpus(tmp_path):
    return ListCorpus(LENGTHS, tmp_path)


def make(corpus, tokenizer=None, **changes):
    settings = {"split": "train", "context": 64, "batch_tokens": 256, "seed": 3} | changes
    return TokenDataset(corpus, tokenizer or CountingTokenizer(), **settings)


def same(first, second):
    arrays = all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("inputs", "targets", "mask"))
    return arrays and (first.notes, first.epoch) == (second.notes, second.epoch)


def epochs_of(data, epochs):
    """All batches of the first epochs."""
    return itertools.takewhile(lambda batch: batch.epoch < epochs, map(data.batch, itertools.count()))


def test_batches_are_the_same_in_any_order_of_reading(corpus):
    forwards, backwards = make(corpus), make(corpus)
    expected = [forwards.batch(step) for step in range(60)]
    assert all(same(expected[step], backwards.batch(step)) for step in reversed(range(60)))


def test_a_pickled_copy_gives_the_same_batches(corpus):
    data = make(corpus)
    data.batch(5)
    copy = pickle.loads(pickle.dumps(data))
    assert all(same(data.batch(step), copy.batch(step)) for step in range(0, 90, 7))


def test_two_workers_that_take_turns_give_the_stream_of_one(corpus):
    alone, workers = make(corpus), [pickle.loads(pickle.dumps(make(corpus))) for _ in range(2)]
    shares = [[worker.batch(step) for step in range(number, 60, 2)] for number, worker in enumerate(workers)]
    stream = itertools.chain.from_iterable(zip(*shares, strict=True))
    assert all(same(alone.batch(step), batch) for step, batch in enumerate(stream))


def test_resuming_needs_the_number_of_the_step_alone(corpus):
    before = make(corpus)
    continued = [before.batch(step) for step in range(120)][80:]
    assert all(same(batch, make(corpus).batch(80 + number)) for number, batch in enumerate(continued))


def test_seeds_and_epochs_differ(corpus):
    data = make(corpus)
    assert not same(data.batch(0), make(corpus, seed=4).batch(0))
    size = data.batches_in_epoch(0)
    assert not all(same(data.batch(step), data.batch(size + step)) for step in range(5))


def test_steps_run_on_from_epoch_to_epoch(corpus):
    data = make(corpus)
    size = data.batches_in_epoch(0)
    assert data.locate(0) == (0, 0)
    assert data.locate(size - 1) == (0, size - 1)
    assert data.locate(size) == (1, 0)
    assert data.batch(size).epoch == 1
    with pytest.raises(IndexError):
        data.locate(-1)


def test_targets_are_the_tokens_after_the_inputs_and_stay_in_one_piece(corpus):
    for batch in epochs_of(make(corpus), 1):
        pieces, positions = batch.inputs[..., 0], batch.inputs[..., 1]
        assert (batch.targets[:, :-1] == batch.inputs[:, 1:]).all()
        assert (batch.targets[..., 0] == pieces)[batch.mask[..., 0]].all()
        assert (batch.targets[..., 1] == positions + 1)[batch.mask[..., 0]].all()
        assert (batch.targets[~batch.mask[..., 0]] == PAD).all()
        assert batch.inputs.dtype == batch.targets.dtype == np.int64


def test_notes_are_those_of_the_targets_that_count(corpus):
    for batch in epochs_of(make(corpus), 1):
        assert batch.notes == np.count_nonzero(batch.targets[batch.mask[..., 0]][:, 1] % 2)


def test_every_token_of_the_split_is_learned_every_few_epochs(corpus):
    data, epochs = make(corpus), 30
    times = np.zeros((len(LENGTHS), max(LENGTHS)), int)
    for batch in epochs_of(data, epochs):
        np.add.at(times, tuple(batch.targets[batch.mask[..., 0]].T), 1)
    for piece in corpus.indices("train"):
        assert times[piece, 1 : LENGTHS[piece]].min() >= epochs / 6  # the first token of a piece is no target


def test_beginnings_and_ends_of_long_pieces_come_every_third_epoch_or_more(tmp_path):
    data, epochs = make(ListCorpus([95, 97, 600], tmp_path)), 300  # 95 is the worst: nearly half a context too long
    firsts, lasts = np.zeros(3), np.zeros(3)
    for batch in epochs_of(data, epochs):
        np.add.at(firsts, batch.inputs[batch.inputs[:, 0, 1] == 0][:, 0, 0], 1)
        ends = batch.targets[batch.mask[..., 0]]
        np.add.at(lasts, ends[ends[:, 1] == np.array([95, 97, 600])[ends[:, 0]] - 1][:, 0], 1)
    assert min(firsts.min(), lasts.min()) > 0.3 * epochs


def test_windows_are_as_many_as_contexts_fit_in_a_piece(corpus):
    windows = sum(len(batch.inputs) for batch in epochs_of(make(corpus), 1))
    assert windows == sum(max(1, round(LENGTHS[piece] / 64)) for piece in corpus.indices("train"))


def test_an_augmented_epoch_encodes_each_piece_once(corpus):
    augment = [TransposeConfig(probability=0)]
    make(corpus, augment=augment)
    tokenizer = CountingTokenizer()
    assert list(epochs_of(make(corpus, tokenizer, augment=augment), 1))
    assert sorted(tokenizer.encoded) == corpus.indices("train").tolist()


def test_batches_from_the_cache_are_those_without_it_and_nothing_is_encoded(corpus, monkeypatch):
    make(corpus)
    tokenizer = CountingTokenizer()
    cached = list(epochs_of(make(corpus, tokenizer), 2))
    assert tokenizer.encoded == []
    monkeypatch.setenv("AURL_CACHE_BYTES", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    uncached = list(epochs_of(make(corpus, tokenizer), 2))
    assert sorted(tokenizer.encoded) == corpus.indices("train").tolist()
    assert all(same(*batches) for batches in zip(cached, uncached, strict=True))


def test_a_corpus_that_fits_in_memory_is_encoded_once_for_all(corpus):
    tokenizer = CountingTokenizer()
    assert list(epochs_of(make(corpus, tokenizer), 3))
    assert sorted(tokenizer.encoded) == corpus.indices("train").tolist()


def test_encoded_pieces_take_bounded_memory(corpus, monkeypatch):
    expected = [make(corpus).batch(step) for step in range(30)]
    monkeypatch.setattr(module, "KEPT_BYTES", 5000)
    data = make(corpus)
    for step, batch in enumerate(expected):
        assert same(data.batch(step), batch)
        assert sum(piece.nbytes for piece in data._pieces.values()) <= 5000


def test_a_second_run_reads_the_lengths_from_the_cache(corpus):
    first = make(corpus)
    tokenizer = CountingTokenizer()
    second = make(corpus, tokenizer)
    assert not tokenizer.encoded
    assert same(first.batch(3), second.batch(3))


@pytest.mark.parametrize("change", ["tokenizer", "corpus", "split"])
def test_other_contents_have_other_lengths(corpus, change):
    make(corpus)
    tokenizer = CountingTokenizer("another" if change == "tokenizer" else "counting")
    corpus.fingerprint += " changed" if change == "corpus" else ""
    make(corpus, tokenizer, split="valid" if change == "split" else "train")
    assert tokenizer.encoded


@pytest.mark.parametrize("left", [0, 40, 200, -1])
def test_a_cache_cut_short_is_built_again(corpus, left):
    expected = make(corpus).lengths
    (path,) = Cache().folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert np.array_equal(make(corpus).lengths, expected)
    assert path.read_bytes() == whole


def test_a_cache_of_other_pieces_is_built_again(corpus):
    data = make(corpus)
    (path,) = Cache().folder.iterdir()
    path.write_bytes(Block.build([data.tokenizer.encode(corpus.score(0))], keep_tokens=True))
    assert np.array_equal(make(corpus).lengths, data.lengths)


def test_pieces_of_a_split_come_whole_and_in_order(corpus):
    pieces = list(make(corpus).pieces("valid"))
    assert [(tokens[0, 0], len(tokens)) for tokens in pieces] == [(i, LENGTHS[i]) for i in corpus.indices("valid")]


def test_an_empty_split_names_the_others(corpus):
    with pytest.raises(CorpusError, match=r"'test'.*54 in 'train', 6 in 'valid', 0 in 'test'"):
        make(corpus, split="test")


@pytest.mark.parametrize("settings", [{"context": 1}, {"batch_tokens": 63}])
def test_sizes_that_hold_no_window_are_refused(corpus, settings):
    with pytest.raises(ConfigError):
        make(corpus, **settings)


class PitchTokenizer(CountingTokenizer):
    """The pitches of a piece that are on a piano: as many wherever on it the piece is moved."""

    def encode(self, score):
        pitches = score.notes.pitch[(score.notes.pitch >= 21) & (score.notes.pitch <= 108)]
        return np.stack([pitches, np.arange(len(pitches))], axis=1).astype(np.uint16)


class PitchCorpus(ListCorpus):
    """Piece p is twenty times a pitch in turn of `PITCHES`."""

    PITCHES = (60,)

    def score(self, index):
        pitch, one = np.resize(self.PITCHES, 20), np.ones(20, np.int64)
        return Score(notes=Notes(480 * np.arange(20), 480 * one, pitch, one, 0 * one), tracks=(Track(),))


class WideCorpus(PitchCorpus):
    """Pieces that leave the piano at every second note."""

    PITCHES = (60, 110)


def test_each_piece_is_moved_anew_in_each_epoch_and_no_further_than_asked(tmp_path):
    data = make(PitchCorpus([20] * 40, tmp_path), PitchTokenizer(), augment=[TransposeConfig(semitones=5)])
    moves = [set((batch.inputs[..., 0][batch.mask[..., 0]] - 60).tolist()) for batch in epochs_of(data, 4)]
    assert set().union(*moves) == set(range(-5, 6))
    copy = make(PitchCorpus([20] * 40, tmp_path), PitchTokenizer(), augment=[TransposeConfig(semitones=5)])
    assert all(same(data.batch(step), copy.batch(step)) for step in reversed(range(40)))


def test_a_piece_that_leaves_the_piano_keeps_its_tokens(tmp_path):
    data = make(WideCorpus([20] * 12, tmp_path), PitchTokenizer(), augment=[TransposeConfig()])
    for batch in epochs_of(data, 5):
        assert batch.mask.shape[1] == 9
        assert batch.mask[..., 0].all()
        assert (batch.targets[..., 0] == 60).all()


class NoteTokenizer(CountingTokenizer):
    """A token a note between two others, the pitch of each, with the bar of a note every fourth."""

    def encode(self, score):
        pitches = [0, *score.notes.pitch.tolist(), 0]
        return np.stack([pitches, np.arange(len(pitches))], axis=1).astype(np.uint16)

    def clock(self, tokens):
        return SimpleNamespace(bars=np.arange(len(tokens)) // 4)


class ScaleCorpus(ListCorpus):
    """Piece p is as many notes as its length says, of a pitch in turn."""

    def score(self, index):
        count = self.lengths[index]
        one = np.ones(count, np.int64)
        return Score(
            notes=Notes(480 * np.arange(count), 480 * one, 40 + np.arange(count) % 40, one, 0 * one), tracks=(Track(),)
        )


@pytest.fixture
def scales(tmp_path):
    return ScaleCorpus(LENGTHS, tmp_path)


VARIED = {
    "augment": [TransposeConfig(probability=0.5), DropoutConfig(share=0.3, probability=0.7)],
    "windows": "adaptive",
}


def test_augmented_batches_are_the_same_in_any_order_in_any_process_and_after_any_stop(scales):
    data = make(scales, NoteTokenizer(), **VARIED)
    expected = [data.batch(step) for step in range(60)]
    workers = [pickle.loads(pickle.dumps(data)) for _ in range(2)]
    assert all(same(expected[step], workers[step % 2].batch(step)) for step in reversed(range(60)))
    assert same(make(scales, NoteTokenizer(), **VARIED).batch(59), expected[59])


def test_pieces_that_lose_notes_have_windows_within_them_that_are_never_empty(scales):
    data = make(scales, NoteTokenizer(), augment=[DropoutConfig(share=0.9)], windows="sliding")
    for batch in epochs_of(data, 2):
        assert batch.mask[..., 0].any(axis=1).all()
        assert (batch.targets[..., 1] == batch.inputs[..., 1] + 1)[batch.mask[..., 0]].all()
        assert (batch.targets[~batch.mask[..., 0]] == PAD).all()


def test_an_augmentation_off_is_no_augmentation(scales):
    plain, off = make(scales, NoteTokenizer()), make(scales, NoteTokenizer(), augment=[TransposeConfig(probability=0)])
    assert all(same(plain.batch(step), off.batch(step)) for step in range(20))


def test_windows_that_adapt_begin_bars_and_reach_the_ends(scales):
    data = make(scales, NoteTokenizer(), windows="adaptive")
    ends = set()
    for batch in epochs_of(data, 30):
        assert (batch.inputs[:, 0, 1] % 4 == 0).all()
        ends |= {batch.targets[row][mask][-1, 1] for row, mask in enumerate(batch.mask[..., 0])}
    assert ends >= {LENGTHS[piece] + 1 for piece in scales.indices("train")}


def test_truncated_windows_are_beginnings_one_a_piece(scales):
    batches = list(epochs_of(make(scales, NoteTokenizer(), windows="truncate"), 1))
    assert sum(len(batch.inputs) for batch in batches) == len(scales.indices("train"))
    assert all((batch.inputs[:, 0, 1] == 0).all() for batch in batches)


def test_windows_grow_as_the_course_of_their_length_says(corpus):
    data = make(corpus, length=Course(kind="linear", start=0.25, end=1, epochs=4))
    longest = [0] * 6
    for batch in epochs_of(data, 6):
        longest[batch.epoch] = max(longest[batch.epoch], batch.mask.shape[1])
    assert longest == [16, 32, 48, 64, 64, 64]


class TellingTokenizer(NoteTokenizer):
    """Windows inside a piece begin with three rows that say where they are; the last of them opens a bar."""

    def preamble(self, tokens, at):
        return np.array([[PAD, at]] * 3, np.uint16)


@pytest.mark.parametrize("windows", ["sliding", "adaptive"])
def test_windows_inside_a_piece_begin_with_a_preamble_that_is_not_learned(scales, windows):
    data, inside = make(scales, TellingTokenizer(), windows=windows), 0
    for batch in epochs_of(data, 3):
        assert batch.mask.shape[1] <= 64
        assert batch.mask.size / 2 <= 256
        for inputs, targets, mask in zip(batch.inputs, batch.targets, batch.mask[..., 0], strict=True):
            is_told = inputs[0, 0] == PAD
            inside += is_told
            first = int(inputs[3, 1]) if is_told else 0
            learned = first + (not is_told) + np.arange(mask.sum())
            assert (inputs[0, 1] == first) if is_told else (inputs[0, 1] == 0)
            assert np.flatnonzero(mask).tolist() == list(range(2 * is_told, mask.sum() + 2 * is_told))
            assert targets[mask][:, 1].tolist() == learned.tolist()
            assert windows == "sliding" or first == 0 or first % 4 == 1  # the preamble opens the bar
    assert inside > 20


def test_preambles_leave_batches_a_function_of_the_step(scales):
    data = make(scales, TellingTokenizer(), **VARIED)
    expected = [data.batch(step) for step in range(40)]
    copy = pickle.loads(pickle.dumps(data))
    assert all(same(expected[step], copy.batch(step)) for step in reversed(range(40)))


class MusicCorpus(ListCorpus):
    """Pieces of two tracks, of as many quarters as their length says."""

    def score(self, index):
        count = self.lengths[index]
        one, onset = np.ones(count, np.int64), 480 * np.arange(count)
        tune = Notes(onset, 480 * one, 60 + (np.arange(count) + index) % 20, 66 * one, 0 * one)
        bass = Notes(onset[::2], 960 * one[::2], 36 * one[::2], 66 * one[::2], one[::2])
        return Score(notes=Notes.join([tune, bass]), tracks=(Track(0), Track(32)), metadata={"genre": "Pop"})


TASKS = TasksConfig(infill=0.6, tracks=0.5, free=0.3)
NOTES = RowTokenizer(NoteTokenizerConfig(styles=("Pop",)))


@pytest.fixture
def music(tmp_path):
    return MusicCorpus(LENGTHS[:20], tmp_path)


@pytest.mark.parametrize("windows", ["sliding", "adaptive"])
def test_tasks_are_a_function_of_seed_and_step_on_any_number_of_workers(music, windows):
    settings = {"tokenizer": NOTES, "tasks": TASKS, "windows": windows, "augment": [TransposeConfig(probability=0.5)]}
    settings |= {"slips": 0.1}
    alone = make(music, **settings)
    expected = [alone.batch(step) for step in range(40)]
    workers = [pickle.loads(pickle.dumps(make(music, **settings))) for _ in range(2)]
    assert all(same(expected[step], workers[step % 2].batch(step)) for step in reversed(range(40)))
    assert not same(make(music, **(settings | {"seed": 4})).batch(0), expected[0])


@pytest.mark.parametrize("windows", ["sliding", "adaptive"])
def test_windows_of_tasks_fit_the_context_and_count_what_is_chosen(music, windows):
    layout, grammar = NOTES.layout, NoteGrammar(NOTES.layout, tasks=True)
    kinds, whole = {"future": 0, "now": 0, "fill": 0, "style": 0}, 0
    for batch in epochs_of(make(music, NOTES, tasks=TASKS, windows=windows), 3):
        assert batch.inputs.shape == batch.targets.shape == batch.mask.shape
        assert batch.mask.shape[1] <= 64
        assert (batch.targets[:, :-1] == batch.inputs[:, 1:]).all()
        assert not batch.mask[batch.targets[..., 2] == layout.first["pad"]].any()
        assert batch.notes == NOTES.note_count(batch.targets)
        for inputs, targets, mask in zip(batch.inputs, batch.targets, batch.mask, strict=True):
            count = int((targets[:, 2] != layout.first["pad"]).sum())
            rows = np.concatenate([inputs[:1], targets[:count]])
            assert not (mask & ~NOTES.field_mask(targets)).any()
            begins = [] if rows[0, 2] == layout.first["start"] else [NOTES.vocabulary.start[None]]
            assert grammar.first_illegal(np.concatenate([*begins, rows])) is None
            whole += 1
            for kind in kinds:
                first, end = layout.span(kind)
                kinds[kind] += bool(((rows[:, 2] >= first + (kind == "style")) & (rows[:, 2] < end)).any())
    assert 0.2 * whole < kinds["future"] < 0.8 * whole
    assert 0.2 * whole < kinds["fill"] < 0.8 * whole
    assert 0.4 * whole < kinds["style"] < whole


def test_slips_are_read_and_neither_wanted_nor_learned(music):
    slipped, plain = make(music, NOTES, slips=0.25), make(music, NOTES)
    assert same(make(music, NOTES, slips=0.0).batch(0), plain.batch(0))
    unread = 0
    for step in range(20):
        batch, clean = slipped.batch(step), plain.batch(step)
        assert batch.inputs.shape == batch.targets.shape == batch.mask.shape
        assert batch.mask.shape[1] <= clean.mask.shape[1]
        unread += int((batch.inputs[:, 1:] != batch.targets[:, :-1]).any(axis=-1).sum())
        assert batch.mask[..., 0].sum() < clean.mask[..., 0].sum()
        assert batch.notes == NOTES.note_count(batch.targets[batch.mask[..., 0]])
        learned = {tuple(row) for row in batch.targets[batch.mask[..., 0]].tolist()}
        assert learned <= {tuple(row) for row in clean.targets[clean.mask[..., 0]].tolist()}
    assert unread > 100


def test_tasks_that_are_off_change_nothing(music):
    plain, off = make(music, NOTES), make(music, NOTES, tasks=TasksConfig())
    assert all(same(plain.batch(step), off.batch(step)) for step in range(20))


def test_tokens_without_tasks_are_refused(scales):
    tokenizer = RowTokenizer(NoteTokenizerConfig(clock="performed"))
    with pytest.raises(ConfigError, match="cannot tell tasks"):
        make(scales, tokenizer, tasks=TASKS).batch(0)


def test_a_mix_gives_genres_their_share_of_the_tokens_and_leaves_the_others_out(corpus):
    data = make(corpus, mix={"fiddle": 3, "song": 1})
    tokens = np.zeros(3)
    for batch in epochs_of(data, 30):
        genres, counts = np.unique(batch.targets[batch.mask[..., 0]][:, 0] % 3, return_counts=True)
        tokens[genres] += counts
    assert tokens[0] == 0
    assert tokens[2] / tokens.sum() == pytest.approx(0.75, abs=0.02)
    epochs = [sum(1 for batch in epochs_of(data, n)) for n in (10, 20)]
    assert epochs[1] == pytest.approx(2 * epochs[0], rel=0.1)


def test_a_mix_of_a_genre_that_is_not_there_is_refused(corpus):
    with pytest.raises(CorpusError, match="jazz"):
        make(corpus, mix={"fiddle": 1, "jazz": 1})
