"""A piece is the mean of a model's hidden states over all its rows, through windows where it is long."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer
from aurl.evaluation.embedding import embed
from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel
from aurl.music.score import Notes, Score, Track


def score(count: int, pitch: int = 60) -> Score:
    times = np.arange(count) * 240
    notes = Notes(times, np.full(count, 120), np.full(count, pitch), np.full(count, 80), np.zeros(count, int))
    return Score(notes=notes, tracks=(Track(),))


def model_for(tokenizer, context: int, kind: type[MusicModel] = MusicModel) -> MusicModel:
    torch.manual_seed(0)
    sizes = tokenizer.vocabulary.sizes
    config = {"width": 16, "layers": 1, "heads": 2, "context": context, "vocabulary_sizes": sizes, "dropout": 0.5}
    return kind(MusicModelConfig.parse(config))


class Echo(MusicModel):
    """Its hidden states are its rows."""

    def hidden(self, tokens, cache=None, steps=None):
        assert tokens.shape[1] <= self.config.context
        return tokens.float().expand(-1, -1, self.config.width)


@pytest.mark.parametrize("context", [7, 16, 1000])
def test_each_row_of_a_long_piece_counts_once(context):
    tokenizer = EventTokenizer()
    tokenizer.preamble = lambda tokens, at: tokens[:0]
    tokens = tokenizer.encode(score(20))
    assert embed(model_for(tokenizer, context, Echo), tokenizer, [score(20)])[0] == pytest.approx([tokens.mean()] * 16)


def test_a_piece_that_fits_is_the_mean_of_its_hidden_states_without_dropout():
    tokenizer = NoteTokenizer()
    model = model_for(tokenizer, 128).train()
    found = embed(model, tokenizer, [score(8), score(12, pitch=72)])
    assert found.shape == (2, 16)
    assert model.training
    tokens = torch.from_numpy(tokenizer.encode(score(8)).astype(np.int64))[None]
    with torch.no_grad():
        expected = model.eval().hidden(tokens).mean(dim=1)[0].numpy()
    assert found[0] == pytest.approx(expected, abs=1e-5)
    assert not np.allclose(found[0], found[1])
