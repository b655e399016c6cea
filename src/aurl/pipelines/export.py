"""From a trained model to a folder that runs without PyTorch, checked against the network that was trained."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.data.tokenizers.base import Tokens
from aurl.evaluation.likelihood import bits_per_note
from aurl.generation.engine import Runtime
from aurl.generation.runtimes.onnx_runtime import OnnxRuntime
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.models.exported import export_model, load_graphs
from aurl.models.folders import WEIGHTS, find_model
from aurl.models.music_model import MusicModel
from aurl.models.onnx_graph import GraphFormat
from aurl.models.pretrained import load_model
from aurl.utils.errors import CheckpointError, CorpusError
from aurl.utils.progress import progress_bar

LARGEST_DIFFERENCE = 1e-3
"""In logits, between 32-bit graphs and the network; rounding alone makes 1e-5."""
STEPS = 100


def export_checked(
    source: Path,
    target: Path,
    form: GraphFormat = "int8",
    *,
    corpus: Path | None = None,
    pieces: int = 32,
    with_weights: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Write the export, after its graphs have been found to compute what the model does; returns what was measured.

    With a `corpus`, bits per note are measured on the first `pieces` of its validation split in every format. Raises
    CheckpointError for a model that cannot be exported, and CorpusError.
    """
    model, experiment = load_model(source)
    folder = find_model(source)
    runtimes = {each: OnnxRuntime(load_graphs(folder, each), model.config) for each in get_args(GraphFormat)}
    reference = TorchRuntime(model, torch.device("cpu"))
    exact = largest_difference(runtimes["onnx"], reference, model.config.vocabulary_sizes)[0]
    if not exact <= LARGEST_DIFFERENCE:
        raise CheckpointError("the graphs do not compute what the model does", found=f"logits {exact:.2g} apart")
    difference, spread = largest_difference(runtimes[form], reference, model.config.vocabulary_sizes)
    bits = measured_bits(model, runtimes, experiment, corpus, pieces, quiet=quiet) if corpus else {}
    measured = {"bits_per_note": bits[form]["bits_per_note"]} if bits and not with_weights else None
    export_model(source, target, form, measured, with_weights=with_weights)
    return {
        "folder": str(target),
        "format": form,
        "megabytes": sum(file.stat().st_size for file in target.iterdir()) / 1e6,
        "megabytes_of_weights": (folder / WEIGHTS).stat().st_size / 1e6,
        "ms_per_step": step_ms(runtimes[form], model.config.vocabulary_sizes),
        "ms_per_step_torch": step_ms(reference, model.config.vocabulary_sizes),
        "largest_difference_in_logits": difference,
        "spread_of_logits": spread,
        "bits_per_note": bits or "not measured: give --corpus",
    }


def largest_difference(
    runtime: Runtime, reference: Runtime, sizes: tuple[int, ...], rows: int = 32
) -> tuple[float, float]:
    """Between the logits of two runtimes after the same random rows, and the standard deviation of the logits."""
    generator = np.random.default_rng(0)
    tokens = np.stack([generator.integers(0, size, (2, min(rows, runtime.context))) for size in sizes], axis=-1)
    logits = []
    for each in (runtime, reference):
        each.reset(2)
        each.feed(tokens[:, :-1])
        logits.append([each.logits(field, tokens[:, -1, :field]) for field in range(len(sizes))])
    found, expected = (np.concatenate(each, axis=1) for each in logits)
    return float(np.abs(found - expected).max()), float(expected.std())


def step_ms(runtime: Runtime, sizes: tuple[int, ...]) -> float:
    """Milliseconds for a row and the logits of all fields of the next, one piece on one thread; the median of STEPS."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    row = np.zeros((1, 1, len(sizes)), np.int64)
    runtime.reset(1)
    times = []
    for _ in range(min(STEPS, runtime.context)):
        began = time.perf_counter()
        runtime.feed(row)
        for field in range(len(sizes)):
            runtime.logits(field, row[:, 0, :field])
        times.append(time.perf_counter() - began)
    torch.set_num_threads(threads)
    return 1e3 * statistics.median(times)


def measured_bits(
    model: MusicModel,
    runtimes: dict[GraphFormat, OnnxRuntime],
    experiment: dict[str, Any],
    corpus: Path,
    pieces: int,
    *,
    quiet: bool,
) -> dict[str, dict[str, float]]:
    """Bits per note in PyTorch and in each format, with per cent more than in PyTorch; graphs read row by row."""
    opened, tokenizer = Corpus.open(corpus), TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))
    split = experiment.get("data", {}).get("valid_split", "valid")
    tokens = encoded_pieces(opened, opened.indices(split)[:pieces], tokenizer, model.config.vocabulary_sizes)
    scored: dict[str, Any] = {"torch": model, **{form: SteppedModel(runtime) for form, runtime in runtimes.items()}}
    bits: dict[str, dict[str, float]] = {}
    with progress_bar("measuring", total=len(scored), unit="formats", quiet=quiet) as bar:
        for done, (name, each) in enumerate(scored.items(), 1):
            found = bits_per_note(each, tokens, tokenizer, context=model.config.context).bits_per_note
            more = 100 * (found / bits["torch"]["bits_per_note"] - 1) if bits else 0.0
            bits[name] = {"bits_per_note": found, "percent_more": more}
            bar.update(done)
    return bits


def encoded_pieces(
    corpus: Corpus, indices: NDArray[np.int64], tokenizer: Tokenizer, sizes: tuple[int, ...]
) -> list[Tokens]:
    """Pieces as the tokens of a model that knows `sizes` of them; raises CorpusError where it knows others."""
    if tokenizer.vocabulary.sizes != tuple(sizes):
        raise CorpusError(
            "the model does not know all tokens of the corpus",
            found=f"{sizes} by field, not {tokenizer.vocabulary.sizes}",
            hint="use the version of Aurl that it was trained with",
        )
    return [tokenizer.encode(corpus.score(int(index))) for index in indices]


class SteppedModel:
    """A runtime as `evaluation.likelihood` sees a model: it reads one row at a time, as in generation."""

    training = False

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def nll(
        self, tokens: Int[Tensor, "b t f"], targets: Int[Tensor, "b t f"], mask: Bool[Tensor, "b t f"]
    ) -> Float[Tensor, "b t f"]:
        """Nats for the fields of `targets`, the row after each of `tokens`, that `mask` counts; 0 for the others."""
        rows, wanted, counted = tokens.numpy(), targets.numpy(), mask.numpy()
        nats = np.zeros(wanted.shape)
        self.runtime.reset(len(rows))
        for at in range(rows.shape[1]):
            self.runtime.feed(rows[:, at : at + 1])
            for field in np.flatnonzero(counted[:, at].any(axis=0)).tolist():
                logits = self.runtime.logits(field, wanted[:, at, :field])
                nats[:, at, field] = _cross_entropy(logits, wanted[:, at, field])
        return torch.from_numpy(nats * counted)

    def parameters(self) -> Iterator[Any]:
        """None that likelihood could look at."""
        return iter(())

    def train(self, mode: bool = True) -> None:
        """There is nothing to switch."""


def _cross_entropy(logits: NDArray[np.float32], wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, wanted[:, None], axis=1)[:, 0]
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - chosen)
