from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.data import token_cache
from aurl.data.cache import Cache
from aurl.data.store import Corpus
from aurl.data.token_cache import Block, TokenCache
from aurl.data.tokenizers import EventTokenizer

PIECES = st.integers(1, 4).flatmap(
    lambda fields: st.lists(arrays(np.uint16, st.tuples(st.integers(0, 50), st.just(fields))), min_size=1, max_size=6)
)


@given(pieces=PIECES)
def test_a_block_gives_back_what_it_was_made_of(pieces):
    block = Block.parse(Block.build(pieces, keep_tokens=True))
    assert block.has_tokens
    assert block.lengths.tolist() == [len(piece) for piece in pieces]
    for number, piece in enumerate(pieces):
        assert block.tokens(number).dtype == np.uint16
        np.testing.assert_array_equal(block.tokens(number), piece)


@given(pieces=PIECES)
def test_a_block_without_tokens_knows_how_many_there_are(pieces):
    content = Block.build(pieces, keep_tokens=False)
    block = Block.parse(content)
    assert not block.has_tokens
    assert block.lengths.tolist() == [len(piece) for piece in pieces]
    assert len(content) < 100 + 32 * len(pieces)


@given(data=st.data(), pieces=PIECES)
def test_damage_is_found_wherever_it_is(data, pieces):
    content = bytearray(Block.build(pieces, keep_tokens=True))
    where = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged = bytes(content[:where])
        assert Block.parse(damaged) is None
        return
    content[where] ^= data.draw(st.integers(1, 255))
    block = Block.parse(bytes(content))
    if block is None or block.fields != pieces[0].shape[1]:
        return
    read = [block.tokens(number) for number in range(len(pieces))]
    assert [tokens is None for tokens in read].count(True) == 1
    for tokens, piece in zip(read, pieces, strict=True):
        assert tokens is None or np.array_equal(tokens, piece)


class Counting:
    """Encodes pieces of a corpus, and counts them."""

    def __init__(self, corpus, tokenizer):
        self.corpus, self.tokenizer, self.indices, self.count = corpus, tokenizer, corpus.indices("train"), 0

    def __call__(self, piece):
        self.count += 1
        return self.tokenizer.encode(self.corpus.score(int(self.indices[piece])))


@pytest.fixture
def encode(corpus):
    return Counting(corpus, EventTokenizer())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache, "PIECES_PER_BLOCK", 4)
    return Cache(tmp_path / "cache", 1 << 20)


def open_cache(encode, cache):
    return TokenCache(encode.corpus, encode.tokenizer, "train", cache)


def fill(encode, cache, **options):
    return open_cache(encode, cache).lengths(len(encode.indices), encode, **({"keep_tokens": True} | options))


def test_cached_tokens_are_those_of_the_tokenizer(encode, cache):
    lengths = fill(encode, cache)
    pieces = len(encode.indices)
    assert encode.count == pieces > 4
    tokens = open_cache(encode, cache)
    for piece in np.random.default_rng(0).permutation(pieces).tolist():
        np.testing.assert_array_equal(tokens.get(piece), encode(piece))
        assert len(encode(piece)) == lengths[piece]


def test_nothing_is_encoded_twice(encode, cache):
    first = fill(encode, cache)
    encode.count = 0
    np.testing.assert_array_equal(fill(encode, cache), first)
    assert encode.count == 0


def test_lengths_alone_are_kept_where_tokens_are_not_wanted(encode, cache):
    first = fill(encode, cache, keep_tokens=False)
    assert open_cache(encode, cache).get(0) is None
    encode.count = 0
    np.testing.assert_array_equal(fill(encode, cache, keep_tokens=False), first)
    assert encode.count == 0
    np.testing.assert_array_equal(fill(encode, cache), first)
    assert encode.count == len(first)
    assert open_cache(encode, cache).get(0) is not None


def test_another_tokenizer_or_corpus_or_split_finds_nothing(encode, cache, corpus_path):
    fill(encode, cache)
    assert open_cache(encode, cache).get(0) is not None
    same = Corpus.open(corpus_path)
    assert TokenCache(same, encode.tokenizer, "train", cache).get(0) is not None
    other = same.description.model_copy(update={"fingerprint": "another"})
    changed = same.description.shards[0].model_copy(update={"sha256": "another"})
    labelled = same.description.model_copy(update={"shards": [changed]})
    tokenizer = type("Newer", (EventTokenizer,), {"VERSION": "newer"})()
    for cached in (
        TokenCache(Corpus(corpus_path, other), encode.tokenizer, "train", cache),
        TokenCache(Corpus(corpus_path, labelled), encode.tokenizer, "train", cache),
        TokenCache(same, tokenizer, "train", cache),
        TokenCache(same, encode.tokenizer, "valid", cache),
    ):
        assert cached.get(0) is None


def test_a_damaged_entry_is_made_anew(encode, cache):
    first = fill(encode, cache)
    paths = sorted(cache.folder.iterdir())
    for path, damage in zip(paths, (lambda c: c[:-1], lambda c: c[:10] + b"?" + c[11:], lambda c: b"?"), strict=False):
        path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_array_equal(fill(encode, cache), first)
    for piece in range(len(first)):
        np.testing.assert_array_equal(open_cache(encode, cache).get(piece), encode(piece))


def test_damaged_tokens_are_found_when_they_are_read_and_made_anew_by_the_next_run(encode, cache):
    fill(encode, cache)
    for path in cache.folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    tokens = open_cache(encode, cache)
    assert tokens.get(0) is not None
    assert tokens.get(3) is None
    assert tokens.get(0) is None
    encode.count = 0
    fill(encode, cache)
    assert encode.count == 4
    np.testing.assert_array_equal(open_cache(encode, cache).get(3), encode(3))


def test_a_cache_that_is_too_small_keeps_what_fits_and_changes_nothing(encode, cache):
    whole = fill(encode, cache)
    small = Cache(cache.folder.parent / "small", cache.stats().bytes // 2)
    np.testing.assert_array_equal(fill(encode, small), whole)
    kept = [piece for piece in range(len(whole)) if open_cache(encode, small).get(piece) is not None]
    assert 0 < len(kept) < len(whole)
    assert small.stats().bytes <= small.max_bytes


def test_no_more_blocks_are_mapped_than_allowed(encode, cache, monkeypatch):
    monkeypatch.setattr(token_cache, "OPEN_BLOCKS", 1)
    fill(encode, cache)
    tokens = open_cache(encode, cache)
    for piece in (0, 4, 5, 0):
        np.testing.assert_array_equal(tokens.get(piece), encode(piece))
        assert len(tokens._blocks) == 1


def read_all(path, folder):
    corpus = Corpus.open(path)
    encode = Counting(corpus, EventTokenizer())
    cached = TokenCache(corpus, encode.tokenizer, "train", Cache(folder, 1 << 20))
    cached.lengths(len(encode.indices), encode, keep_tokens=True)
    return [cached.get(piece).tobytes() for piece in range(len(encode.indices))]


def test_two_processes_read_what_one_does(corpus_path, tmp_path):
    expected = read_all(corpus_path, tmp_path / "one")
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        for result in pool.map(partial(read_all, corpus_path), [tmp_path / "two"] * 2):
            assert result == expected
