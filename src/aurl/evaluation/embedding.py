"""Pieces as vectors of a model's own, to be compared as distributions (`aurl.evaluation.frechet`).

Two sets can be compared when their pieces were read the same way: from files, or as one tokenizer tells them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from aurl.data.tokenizers import Tokenizer
from aurl.models.music_model import MusicModel
from aurl.music.score import Score


@torch.inference_mode()
def embed(model: MusicModel, tokenizer: Tokenizer, scores: Sequence[Score]) -> Float[np.ndarray, "n d"]:
    """A row for each score: the mean of the model's last hidden states, those before the heads, over its tokens.

    A piece longer than the context is read window after window, each beginning with the tokenizer's preamble.
    """
    training = model.training
    model.train(False)
    try:
        return np.stack([_embed(model, tokenizer, score) for score in scores])
    finally:
        model.train(training)


def _embed(model: MusicModel, tokenizer: Tokenizer, score: Score) -> Float[np.ndarray, " d"]:
    tokens, context = tokenizer.encode(score), model.config.context
    device = next(model.parameters()).device
    total = torch.zeros(model.config.width, dtype=torch.float64, device=device)
    for start in range(0, len(tokens), context):
        rows = tokenizer.window(tokens, start, start + context).astype(np.int64)
        total += model.hidden(torch.from_numpy(rows)[None].to(device))[0].double().sum(dim=0)
    return np.asarray((total / len(tokens)).cpu())
