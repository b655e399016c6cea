"""One training step (forward, backward, AdamW) of MusicModel beside decoders of the same size, on one core.

    python benchmarks/training_step.py [--json] [--layers 6 --width 256 ...]

Times are processor seconds of the one thread, which other processes cannot stretch by preempting it. Repeats are
interleaved (A B C A B C ...) with a matrix multiplication before each step, so that what they still cost (caches,
memory bandwidth, clock) is shared; figures are medians, ratios are medians of the ratios within a round.
Work of a step, in FLOP: 6 (N + layers width context) tokens, N the weights that multiply (embeddings looked up are left
out), attention counted for the causal half only. Peak memory is that of a fresh process doing two steps of one model.
Peers: a minimal pre-norm GPT (below) and x-transformers, where installed, plain and with the same parts as ours.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel

GEMM_SIZE = 1024
Loss = Callable[[Tensor, Tensor], Tensor]


class MinimalBlock(nn.Module):
    """LayerNorm, fused attention, GELU: what a PyTorch user writes first."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = (z.view(b, t, self.heads, -1).transpose(1, 2) for z in self.qkv(self.norm1(x)).split(d, dim=2))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).reshape(b, t, d)))
        lowered: Tensor = self.mlp(self.norm2(x))
        return torch.add(x, self.dropout(lowered))


class MinimalGPT(nn.Module):
    """Learned positions, pre-norm blocks, one head."""

    def __init__(self, vocabulary: int, width: int, layers: int, heads: int, context: int, dropout: float) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(MinimalBlock(width, heads, dropout) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        logits: Tensor = self.head(self.norm(self.blocks(self.dropout(self.tokens(tokens) + positions))))
        return logits


def build(name: str, o: argparse.Namespace) -> tuple[nn.Module, Loss]:
    """The model called `name` and the loss of it on inputs and targets of shape b t."""
    if name.startswith("aurl"):
        config = MusicModelConfig(
            vocabulary_sizes=(o.vocabulary,), width=o.width, layers=o.layers, heads=o.heads, context=o.context,
            dropout=o.dropout,
        )  # fmt: skip
        ours = MusicModel(config)
        return ours, lambda x, y: ours.nll(
            x[..., None], y[..., None], torch.ones_like(y[..., None], dtype=torch.bool)
        ).mean()
    if name == "minimal GPT":
        model: nn.Module = MinimalGPT(o.vocabulary, o.width, o.layers, o.heads, o.context, o.dropout)
    else:
        model = build_x_transformers(o, like_ours=name.endswith("same parts"))
    return model, lambda x, y: F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def build_x_transformers(o: argparse.Namespace, *, like_ours: bool) -> nn.Module:
    """x-transformers with its own defaults, or with rotary positions, RMSNorm, QK-norm and squared ReLU."""
    from x_transformers import Decoder, TransformerWrapper

    names = ("rotary_pos_emb", "use_rmsnorm", "attn_qk_norm", "ff_relu_squared", "ff_no_bias") if like_ours else ()
    decoder = Decoder(
        dim=o.width, depth=o.layers, heads=o.heads, attn_dim_head=o.width // o.heads, attn_flash=True,
        ff_dropout=o.dropout, **dict.fromkeys(names, True),
    )  # fmt: skip
    model: nn.Module = TransformerWrapper(
        num_tokens=o.vocabulary, max_seq_len=o.context, emb_dropout=o.dropout, use_abs_pos_emb=not like_ours,
        attn_layers=decoder,
    )  # fmt: skip
    return model


class Stepper:
    """A model with its optimizer and one fixed batch."""

    def __init__(self, name: str, o: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.model, self.loss = build(name, o)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)
        rows = torch.randint(o.vocabulary, (o.batch, o.context + 1))
        self.inputs, self.targets = rows[:, :-1], rows[:, 1:]

    def __call__(self) -> float:
        """Processor seconds of one step."""
        start = time.process_time()
        self.loss(self.inputs, self.targets).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.process_time() - start

    def flop(self, o: argparse.Namespace) -> int:
        """Useful work of one step, by the formula at the top."""
        looked_up = {id(m.weight) for m in self.model.modules() if isinstance(m, nn.Embedding)}
        weights = sum(p.numel() for p in self.model.parameters() if p.ndim == 2 and id(p) not in looked_up)
        attention = o.layers * o.width * o.context
        return int(6 * (weights + attention) * o.batch * o.context)


def peak_megabytes(name: str, o: argparse.Namespace) -> float:
    """Run in a fresh process: its largest resident size after two steps."""
    torch.set_num_threads(1)
    step = Stepper(name, o)
    step(), step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gemm_seconds(matrix: Tensor) -> float:
    start = time.process_time()
    matrix @ matrix
    return time.process_time() - start


def measure(names: list[str], o: argparse.Namespace) -> list[dict[str, Any]]:
    """One row of figures for each model."""
    fresh = multiprocessing.get_context("spawn")  # first of all: a child starts from the peak of its parent
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool:
        peaks = dict(zip(names, pool.map(peak_megabytes, names, [o] * len(names)), strict=True))
    steppers = {name: Stepper(name, o) for name in names}
    matrix = torch.randn(GEMM_SIZE, GEMM_SIZE)
    for warm in steppers.values():
        warm(), gemm_seconds(matrix)
    rounds = [{name: (gemm_seconds(matrix), step()) for name, step in steppers.items()} for _ in range(o.repeats)]
    gemm_rate = 2 * GEMM_SIZE**3 / statistics.median(gemm for r in rounds for gemm, _ in r.values())
    rows: list[dict[str, Any]] = []
    for name, step in steppers.items():
        seconds = statistics.median(r[name][1] for r in rounds)
        rows.append({
            "model": name,
            "parameters": sum(p.numel() for p in step.model.parameters()),
            "step_ms": round(1e3 * seconds, 1),
            "tokens_per_second": round(o.batch * o.context / seconds),
            "time_of_aurl": round(statistics.median(r[name][1] / r[names[0]][1] for r in rounds), 3),
            "share_of_gemm": round(step.flop(o) / seconds / gemm_rate, 3),
            "gemm_gflops": round(gemm_rate / 1e9, 1),
            "peak_mb": round(peaks[name]),
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    sizes = {"layers": 6, "width": 256, "heads": 4, "vocabulary": 774, "context": 512, "batch": 4, "repeats": 9}
    for option, default in sizes.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--dropout", type=float, default=0.0, help="0 by default: the peers drop in other places")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names, versions = ["aurl", "minimal GPT"], {"python": platform.python_version(), "torch": torch.__version__}
    if importlib.util.find_spec("x_transformers"):
        names += ["x-transformers", "x-transformers, same parts"]
        versions["x-transformers"] = importlib.metadata.version("x-transformers")
    rows = measure(names, options)
    if options.json:
        print(json.dumps({"options": vars(options), "versions": versions, "rows": rows}, indent=1))
        return
    widths = {column: max(len(column), *(len(str(row[column])) for row in rows)) for column in rows[0]}
    for row in [{column: column for column in widths}, *rows]:
        print("  ".join(f"{row[column]!s:>{width}}" for column, width in widths.items()))
    print(f"one thread, {options.batch} x {options.context} tokens, dropout {options.dropout},", versions)


if __name__ == "__main__":
    main()
