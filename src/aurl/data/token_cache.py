"""Tokens of the pieces of a split as the tokenizer made them, kept from one run and one epoch to the next.

An entry of the cache is a block of PIECES_PER_BLOCK pieces: a table of where the tokens of each begin, how many there
are, and their checksums, then the tokens of each piece, compressed by itself (zstd; a third of their size), so that
reading one costs nothing of the others. A block whose tokens are not wanted, because augmentation changes every piece,
holds the table alone: planning an epoch needs the lengths.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aurl.data.cache import Cache, entry_key
from aurl.data.store import Corpus
from aurl.data.tokenizers import Tokenizer
from aurl.data.tokenizers.base import Tokens

Ints = NDArray[np.int64]
PIECES_PER_BLOCK = 256
OPEN_BLOCKS = 64
"""Most blocks that are mapped at a time."""
FORMAT = 1
_CODEC = "zstd"
_HEADER = struct.Struct("<8sIIQ")
"""Mark, checksum of the table, fields of a token, pieces."""
_MARK = b"aurltok1"
_COLUMNS = 4


@dataclass(frozen=True)
class Block:
    """A block of pieces, opened; `table` has a row a piece: first byte (0: no tokens kept), bytes, tokens, checksum."""

    content: mmap.mmap | bytes
    table: Ints
    fields: int

    @classmethod
    def parse(cls, content: mmap.mmap | bytes) -> Block | None:
        """Read the table; None for a block that is damaged or cut short."""
        if len(content) < _HEADER.size:
            return None
        mark, checksum, fields, pieces = _HEADER.unpack_from(content)
        end = _HEADER.size + pieces * _COLUMNS * 8
        if mark != _MARK or len(content) < end or zlib.crc32(content[_HEADER.size : end]) != checksum:
            return None
        table = np.frombuffer(content[_HEADER.size : end], np.int64).reshape(pieces, _COLUMNS)
        block = cls(content, table, fields)
        return block if len(content) == max(end, *(table[:, 0] + table[:, 1]).tolist()) else None

    @classmethod
    def build(cls, pieces: list[Tokens], *, keep_tokens: bool) -> bytes:
        """The bytes of a block."""
        codec = pa.Codec(_CODEC)
        frames = [codec.compress(tokens.tobytes(), asbytes=True) if keep_tokens else b"" for tokens in pieces]
        sizes = np.array([len(frame) for frame in frames])
        start = _HEADER.size + len(pieces) * _COLUMNS * 8
        table = np.zeros((len(pieces), _COLUMNS), np.int64)
        table[:, 0] = (start + np.cumsum(sizes) - sizes) * (sizes > 0)
        table[:, 1], table[:, 2] = sizes, [len(tokens) for tokens in pieces]
        table[:, 3] = [zlib.crc32(frame) for frame in frames]
        told = table.tobytes()
        header = _HEADER.pack(_MARK, zlib.crc32(told), pieces[0].shape[1], len(pieces))
        return b"".join([header, told, *frames])

    @property
    def lengths(self) -> Ints:
        """Tokens of each piece."""
        return self.table[:, 2]

    @property
    def has_tokens(self) -> bool:
        """Whether it holds the tokens as well as their numbers."""
        return bool((self.table[:, 0] > 0).all())

    def tokens(self, number: int) -> Tokens | None:
        """The tokens of a piece; None where they are damaged."""
        start, size, length, checksum = self.table[number].tolist()
        frame = memoryview(self.content)[start : start + size]
        if zlib.crc32(frame) != checksum:
            return None
        content = pa.Codec(_CODEC).decompress(frame, length * self.fields * np.dtype(np.uint16).itemsize)
        return np.frombuffer(content, np.uint16).reshape(length, self.fields)


class TokenCache:
    """The tokens of one split by one tokenizer; any change of either, or of the corpus's music, is another cache."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, split: str, cache: Cache | None = None) -> None:
        self._cache = cache or Cache()
        shards = [shard.sha256 for shard in corpus.description.shards]
        self._made_of = (FORMAT, corpus.fingerprint, *shards, tokenizer.fingerprint, split)
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._used: set[str] = set()

    def get(self, piece: int) -> Tokens | None:
        """The tokens of piece number `piece` of the split; None if they are not kept, or damaged."""
        number, row = divmod(piece, PIECES_PER_BLOCK)
        block = self._block(number)
        if block is None or not block.has_tokens or row >= len(block.lengths):
            return None
        tokens = block.tokens(row)
        if tokens is None:
            self._drop(number)
        return tokens

    def lengths(self, pieces: int, encode: Callable[[int], Tokens], *, keep_tokens: bool) -> Ints:
        """Tokens of each of the split's `pieces`; those that are not known are encoded, and with `keep_tokens` kept."""
        lengths = np.empty(pieces, np.int64)
        for number, start in enumerate(range(0, pieces, PIECES_PER_BLOCK)):
            numbers = range(start, min(pieces, start + PIECES_PER_BLOCK))
            block = self._block(number)
            if block is None or len(block.lengths) != len(numbers) or (keep_tokens and not block.has_tokens):
                block = self._make(number, [encode(piece) for piece in numbers], keep_tokens=keep_tokens)
            lengths[start : start + len(numbers)] = block.lengths
        return lengths

    def _make(self, number: int, pieces: list[Tokens], *, keep_tokens: bool) -> Block:
        content = Block.build(pieces, keep_tokens=keep_tokens)
        if self._cache.write(self._key(number), content, in_use=self._used):
            self._used.add(self._key(number))
        self._blocks.pop(number, None)
        block = Block.parse(content)
        assert block is not None, f"a block of {len(pieces)} pieces, {len(content)} bytes"
        return block

    def _block(self, number: int) -> Block | None:
        """Block `number`, mapped; None if it is not there, or damaged."""
        block = self._blocks.pop(number, None)
        if block is None:
            content = self._cache.open(self._key(number))
            if content is None:
                return None
            block = Block.parse(content)
            if block is None:
                self._drop(number)
                return None
            self._used.add(self._key(number))
        self._blocks[number] = block
        while len(self._blocks) > OPEN_BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _drop(self, number: int) -> None:
        self._blocks.pop(number, None)
        self._cache.remove(self._key(number))

    def _key(self, number: int) -> str:
        return entry_key(*self._made_of, PIECES_PER_BLOCK, number)
