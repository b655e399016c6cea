"""How fast the torch runtime writes music on one thread: ms per token, share of sampling, time to the first token.

    python benchmarks/generation.py [--model RUN] [--seconds 60] [--json]

Without --model, fresh weights of the default size (5.1 million parameters) write; they cost what trained ones cost.
Music is taken to need 40 event tokens a second. With `transformers` installed, its `generate` runs beside ours on a
network of the same size.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aurl.data.tokenizers import TOKENIZERS, EventTokenizer, Tokenizer
from aurl.generation.engine import Engine
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.generation.sampling import SamplingConfig
from aurl.models import MusicModel, MusicModelConfig
from aurl.models.pretrained import load_model

TOKENS_PER_SECOND_OF_MUSIC = 40
STEPS = 500
PROMPT_TOKENS = 512
SAMPLING = SamplingConfig(temperature=0.95, top_k=64, top_p=0.95)


class TimedRuntime(TorchRuntime):
    """Counts the seconds spent in the network."""

    seconds = 0.0

    def feed(self, tokens: np.ndarray) -> None:
        """Append tokens, on the clock."""
        began = time.perf_counter()
        super().feed(tokens)
        self.seconds += time.perf_counter() - began

    def logits(self, field: int, chosen: np.ndarray) -> np.ndarray:
        """Logits, on the clock."""
        began = time.perf_counter()
        result = super().logits(field, chosen)
        self.seconds += time.perf_counter() - began
        return result


def load(path: Path | None) -> tuple[MusicModel, Tokenizer]:
    """The model to measure and its tokenizer; without a path random weights, those that begin at zero among them."""
    if path is None:
        model = MusicModel(MusicModelConfig())
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=weights.shape[-1] ** -0.5)
        return model, EventTokenizer()
    model, experiment = load_model(path)
    return model, TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))


def steps(model: MusicModel, tokenizer: Tokenizer, batch: int) -> dict[str, float]:
    """Cost of a step in a context that fills up to STEPS tokens."""
    runtime = TimedRuntime(model, torch.device("cpu"))
    prompt = tokenizer.vocabulary.start[None].astype(np.int64)
    engine = Engine(runtime, tokenizer, SAMPLING, prompt=prompt, seeds=range(batch), capacity=STEPS)
    may_end = np.zeros(batch, np.bool_)
    began = time.perf_counter()
    for _ in range(STEPS):
        engine.step(may_end)
    seconds = time.perf_counter() - began
    return {
        "ms_per_step": 1e3 * seconds / STEPS,
        "tokens_per_second": batch * STEPS / seconds,
        "sampling_and_grammar_share": 1 - runtime.seconds / seconds,
    }


def largest_disagreement(model: MusicModel) -> float:
    """Largest difference between the logits of a whole context at once and of the same tokens fed in pieces."""
    sizes = model.config.vocabulary_sizes
    rng = np.random.default_rng(0)
    tokens = np.stack([rng.integers(0, size, (2, model.config.context)) for size in sizes], axis=-1)
    nothing = np.zeros((2, 0), np.int64)
    at_once, in_pieces = (TorchRuntime(model, torch.device("cpu")) for _ in range(2))
    in_pieces.reset(2)
    largest = 0.0
    context = model.config.context
    for end in (1, 2, 3, context // 16, context // 16 + 1, context // 2, context // 2 + 1, context):
        in_pieces.feed(tokens[:, in_pieces.length : end])
        at_once.reset(2)
        at_once.feed(tokens[:, :end])
        largest = max(largest, float(np.abs(at_once.logits(0, nothing) - in_pieces.logits(0, nothing)).max()))
    return largest


def first_token_ms(model: MusicModel, tokenizer: Tokenizer, length: int) -> float:
    """From a prompt of `length` tokens to the first new one, the runtime being made; best of three."""
    prompt = np.repeat(tokenizer.vocabulary.start[None].astype(np.int64), length, axis=0)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        runtime = TorchRuntime(model, torch.device("cpu"))
        Engine(runtime, tokenizer, SAMPLING, prompt=prompt, seeds=[0], capacity=1).step(np.zeros(1, np.bool_))
        times.append(time.perf_counter() - began)
    return 1e3 * min(times)


def piece_seconds(model: MusicModel, tokenizer: Tokenizer, seconds: float) -> float:
    """Wall-clock time of a whole request for as many tokens as `seconds` of music have, sliding windows included."""
    tokens = round(seconds * TOKENS_PER_SECOND_OF_MUSIC)
    config = GenerationConfig(seconds=1e6, max_tokens=tokens, sampling=SAMPLING)
    (piece,) = generate(TorchRuntime(model, torch.device("cpu")), tokenizer, config)
    assert piece.stopped_by == "max_tokens", piece.stopped_by
    return piece.seconds_taken


def hugging_face_ms_per_step(model: MusicModel) -> float:
    """The same number of tokens from `transformers`, a GPT-2 of the same width, depth and vocabulary."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ours = model.config
    config = GPT2Config(
        vocab_size=ours.vocabulary_sizes[0], n_positions=ours.context, n_embd=ours.width, n_layer=ours.layers,
        n_head=ours.heads, bos_token_id=0, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    theirs = GPT2LMHeadModel(config).eval()
    start = torch.zeros(1, 1, dtype=torch.long)
    began = time.perf_counter()
    theirs.generate(
        start, attention_mask=torch.ones_like(start), do_sample=True, temperature=SAMPLING.temperature,
        top_k=SAMPLING.top_k, top_p=SAMPLING.top_p, min_new_tokens=STEPS, max_new_tokens=STEPS,
    )  # fmt: skip
    return 1e3 * (time.perf_counter() - began) / STEPS


def measure(path: Path | None, seconds: float) -> dict[str, Any]:
    """All figures."""
    model, tokenizer = load(path)
    steps(model, tokenizer, 1)  # warm up
    result: dict[str, Any] = {
        "parameters": model.parameter_count,
        **{f"batch {batch}": steps(model, tokenizer, batch) for batch in (1, 8)},
        "first token, no prompt (ms)": first_token_ms(model, tokenizer, 1),
        f"first token, prompt of {PROMPT_TOKENS} (ms)": first_token_ms(model, tokenizer, PROMPT_TOKENS),
        f"{seconds:g} s piece at {TOKENS_PER_SECOND_OF_MUSIC} tokens/s (s)": piece_seconds(model, tokenizer, seconds),
    }
    result["cached and uncached logits differ by"] = largest_disagreement(model)
    if find_spec("transformers"):
        result["Hugging Face generate, batch 1 (ms per step)"] = hugging_face_ms_per_step(model)
    result["peak memory (MB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = measure(options.model, options.seconds)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        figures = value if isinstance(value, dict) else {"": value}
        print(f"{name:46}", "  ".join(f"{key} {figure:,.4g}".strip() for key, figure in figures.items()))


if __name__ == "__main__":
    main()
