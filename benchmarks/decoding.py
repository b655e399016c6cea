"""How fast music is written, one thread, 5 million parameters: Aurl's runtimes beside four other decoders.

    python benchmarks/decoding.py [--steps 256] [--rounds 3] [--engines aurl-int8 ...] [--json]

Each engine runs in a process of its own with fresh weights of the same size (256 wide, 6 layers, 4 heads), which cost
what trained ones cost, and continues 16 rows with the same settings of its sampler. Aurl writes with `note` tokens (a
row a note, five fields) and with `event` tokens (one field of 774 values); the others know plain tokens, here the 774.
A step of Aurl is a row with its fields drawn by the sampler under the grammar; `network` is the part in the runtime,
`cascade` the heads' share of that. Wall time is the median of rounds; CPU time does not count what other programs did
meanwhile. Engines that are not installed are named: transformers, x-transformers, ctranslate2 (with transformers), and
xllamacpp with gguf, which brings llama.cpp as a wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")

import numpy as np

VOCABULARY, WIDTH, LAYERS, HEADS, CONTEXT, PROMPT = 774, 256, 6, 4, 1024, 16
BATCHES = (1, 16)
SAMPLING = {"temperature": 0.95, "top_k": 64, "top_p": 0.95}
PIECE_ROWS = 1500
"""Rows of a pop song of three minutes."""
Run = Callable[[int], Any]


def aurl(form: str, batch: int, options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """The engine with its sampler and grammar, and what its parts cost."""
    from aurl.data.tokenizers import TOKENIZERS
    from aurl.generation.engine import Engine
    from aurl.generation.runtimes.opening import open_runtime
    from aurl.generation.sampling import SamplingConfig

    runtime, experiment = open_runtime(options.model, device="cpu", form=form)
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))
    if form == "torch":
        import torch

        torch.set_num_threads(1)
    prompt = tokenizer.vocabulary.start[None].astype(np.int64)

    def run(steps: int) -> Engine:
        engine = Engine(runtime, tokenizer, SamplingConfig(**SAMPLING), prompts=[prompt] * batch, seeds=range(batch))
        may_end = np.zeros(batch, np.bool_)
        for _ in range(steps):
            engine.step(may_end)
        return engine

    run(1)
    facts: dict[str, Any] = {"start to first row (s)": time.time() - options.began}
    facts |= network(runtime, tokenizer.vocabulary.sizes, batch, options.steps)
    if batch == 1:
        facts["512 rows of prompt (ms)"] = prefill_ms(runtime, tokenizer.vocabulary.sizes)
        facts["cached and uncached differ by"] = largest_disagreement(runtime, tokenizer.vocabulary.sizes)
        began = time.perf_counter()
        run(PIECE_ROWS)
        facts[f"{PIECE_ROWS} rows (s)"] = time.perf_counter() - began
    return run, facts


def random_rows(sizes: tuple[int, ...], batch: int, count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.stack([generator.integers(0, size, (batch, count)) for size in sizes], axis=-1)


def network(runtime: Any, sizes: tuple[int, ...], batch: int, steps: int) -> dict[str, float]:
    """Reading rows, and the heads of all their fields; medians of steps."""
    rows = random_rows(sizes, batch, PROMPT + steps)
    runtime.reset(batch)
    runtime.feed(rows[:, :PROMPT])
    feeding, heads = [], []
    for at in range(PROMPT, PROMPT + steps):
        began = time.perf_counter()
        runtime.feed(rows[:, at : at + 1])
        fed = time.perf_counter()
        for field in range(len(sizes)):
            runtime.logits(field, rows[:, at, :field])
        feeding.append(fed - began)
        heads.append(time.perf_counter() - fed)
    feed, cascade = 1e3 * statistics.median(feeding), 1e3 * statistics.median(heads)
    return {"network (ms)": feed + cascade, "cascade": cascade / (feed + cascade)}


def prefill_ms(runtime: Any, sizes: tuple[int, ...]) -> float:
    """A prompt of 512 rows; best of three."""
    rows = random_rows(sizes, 1, 512)
    return 1e3 * min(timeit.repeat(lambda: runtime.feed(rows), lambda: runtime.reset(1), number=1, repeat=3))


def largest_disagreement(runtime: Any, sizes: tuple[int, ...]) -> float:
    """Largest difference between the logits after a whole context at once and after the same rows fed in pieces."""
    rows, largest = random_rows(sizes, 2, CONTEXT), 0.0
    whole: list[np.ndarray] = []
    for cuts in ([], [1, 2, 3, 64, 65, 512, 513, CONTEXT - 1]):
        runtime.reset(2)
        for portion in np.split(rows, cuts, axis=1):
            runtime.feed(portion)
        logits = [runtime.logits(field, rows[:, 0, :field]) for field in range(len(sizes))]
        largest = max([largest, *(float(np.abs(a - b).max()) for a, b in zip(whole, logits, strict=False))])
        whole = whole or logits
    return largest


def largest_difference(folder: Path) -> dict[str, float]:
    """Between PyTorch's logits and those of each format, in units of their spread."""
    import torch

    from aurl.generation.runtimes.opening import open_runtime
    from aurl.pipelines.export import largest_difference as difference

    torch.set_num_threads(1)
    reference, _ = open_runtime(folder, device="cpu", form="torch")
    sizes = reference.model.config.vocabulary_sizes  # type: ignore[attr-defined]
    pairs = {form: difference(open_runtime(folder, form=form)[0], reference, sizes) for form in OURS.values()}
    return {form: largest / spread for form, (largest, spread) in pairs.items()}


def gpt2() -> Any:
    """A network of our size from transformers."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.set_num_threads(1)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        bos_token_id=0, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


def hugging_face(batch: int) -> tuple[Run, dict[str, Any]]:
    """`generate` of transformers."""
    import torch

    model, start = gpt2(), torch.zeros(batch, PROMPT, dtype=torch.long)

    def run(steps: int) -> None:
        mask = torch.ones_like(start)
        model.generate(
            start, attention_mask=mask, do_sample=True, min_new_tokens=steps, max_new_tokens=steps, **SAMPLING
        )

    return run, {"version": f"transformers {version('transformers')}"}


def x_transformers(batch: int) -> tuple[Run, dict[str, Any]]:
    """`generate` of x-transformers with its cache."""
    import torch
    from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

    torch.set_num_threads(1)
    layers = Decoder(dim=WIDTH, depth=LAYERS, heads=HEADS, attn_dim_head=WIDTH // HEADS, rotary_pos_emb=True)
    network = TransformerWrapper(num_tokens=VOCABULARY, max_seq_len=CONTEXT, attn_layers=layers)
    model, start = AutoregressiveWrapper(network).eval(), torch.zeros(batch, PROMPT, dtype=torch.long)

    def run(steps: int) -> None:
        with torch.inference_mode():
            model.generate(start, steps, temperature=SAMPLING["temperature"], cache_kv=True, filter_kwargs={"k": 64})

    return run, {"version": f"x-transformers {version('x-transformers')}"}


def ctranslate2_int8(batch: int) -> tuple[Run, dict[str, Any]]:
    """`generate_batch` of CTranslate2 on the network of transformers, converted to int8."""
    import ctranslate2
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    names = {f"<{number}>": number for number in range(VOCABULARY)}
    with tempfile.TemporaryDirectory() as folder:
        gpt2().save_pretrained(folder)
        words = Tokenizer(WordLevel(names, unk_token="<0>"))
        special = {f"{kind}_token": f"<{number}>" for number, kind in enumerate(("unk", "bos", "eos"))}
        PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(folder)
        converter = ctranslate2.converters.TransformersConverter(folder)
        converter.convert(f"{folder}/converted", quantization="int8")
        generator = ctranslate2.Generator(f"{folder}/converted", compute_type="int8", intra_threads=1)
    start = [["<5>"] * PROMPT] * batch

    def run(steps: int) -> None:
        results = generator.generate_batch(
            start, min_length=steps, max_length=steps, include_prompt_in_result=False, sampling_topk=SAMPLING["top_k"],
            sampling_topp=SAMPLING["top_p"], sampling_temperature=SAMPLING["temperature"],
        )  # fmt: skip
        assert len(results[0].sequences_ids[0]) == steps

    return run, {"version": f"CTranslate2 {ctranslate2.__version__}, int8"}


def write_gguf(path: str) -> None:
    """A LLaMA of our size, 8 bits; 704 hidden units with a gate are as many weights as 1,024 without."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    kind, generator, hidden = GGMLQuantizationType.Q8_0, np.random.default_rng(0), 704
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(VOCABULARY)
    written = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    written += [f"t{number}".encode() for number in range(VOCABULARY - len(written))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(written)
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * (VOCABULARY - 259)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
    shapes |= {"ffn_gate": (hidden, WIDTH), "ffn_up": (hidden, WIDTH), "ffn_down": (WIDTH, hidden)}
    matrices = {f"blk.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in shapes.items()}
    matrices |= {"token_embd": (VOCABULARY, WIDTH), "output": (VOCABULARY, WIDTH)}
    for name, shape in matrices.items():
        weights = (generator.standard_normal(shape) * WIDTH**-0.5).astype(np.float32)
        writer.add_tensor(f"{name}.weight", quantize(weights, kind), raw_dtype=kind)
    norms = [f"blk.{layer}.{part}_norm" for layer in range(LAYERS) for part in ("attn", "ffn")]
    for name in [*norms, "output_norm"]:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_cpp(batch: int) -> tuple[Run, dict[str, Any]]:
    """llama.cpp's server, in this process."""
    import xllamacpp

    folder = tempfile.mkdtemp()
    write_gguf(f"{folder}/model.gguf")
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.verbosity, settings.warmup = f"{folder}/model.gguf", -1, False
    settings.n_ctx, settings.n_parallel = CONTEXT * batch, batch
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(settings)
    request = {"prompt": [[300] * PROMPT] * batch if batch > 1 else [300] * PROMPT, "cache_prompt": False}

    def run(steps: int) -> None:
        answer = server.handle_completions({**request, **SAMPLING, "n_predict": steps, "ignore_eos": True})
        assert (len(answer["choices"]), answer["usage"]["completion_tokens"]) == (batch, steps), answer

    return run, {"version": f"llama.cpp in xllamacpp {version('xllamacpp')}, q8_0"}


PEERS: dict[str, Callable[[int], tuple[Run, dict[str, Any]]]] = {
    "hugging-face": hugging_face,
    "x-transformers": x_transformers,
    "ctranslate2": ctranslate2_int8,
    "llama.cpp": llama_cpp,
}
OURS = {"aurl-int8": "int8", "aurl-int4": "int4", "aurl-fp32": "onnx", "aurl-torch": "torch"}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """In a process of its own: one engine, one batch size."""
    name, batch, steps = options.worker, options.batch, options.steps
    run, facts = aurl(OURS[name], batch, options) if name in OURS else PEERS[name](batch)
    run(8)
    walls, processors = [], []
    for _ in range(options.rounds):
        wall, processor = time.perf_counter(), time.process_time()
        run(steps)
        walls.append(1e3 * (time.perf_counter() - wall) / steps)
        processors.append(1e3 * (time.process_time() - processor) / steps)
    return {
        "ms per step": statistics.median(walls),
        "best": min(walls),
        "cpu ms": min(processors),
        **facts,
        "peak MB": peak_mb(),
    }


def peak_mb() -> float:
    """Of this process; what Linux says by `resource` counts what the one that started it held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return int(status.read_text("utf-8").split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def in_process(options: argparse.Namespace, name: str, batch: int, model: Path) -> dict[str, Any]:
    """`measure` in a new process; what went wrong where it does not run."""
    command = [sys.executable, __file__, "--worker", name, "--batch", str(batch), "--model", str(model)]
    command += ["--steps", str(options.steps), "--rounds", str(options.rounds), "--began", str(time.time())]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return {"does not run": (result.stderr.strip().splitlines() or ["no message"])[-1]}
    return dict(json.loads(result.stdout.splitlines()[-1]))


def save_models(folder: Path) -> dict[str, tuple[Path, float]]:
    """Fresh weights for each tokenizer, those that begin at zero drawn too; and the rows it takes for a note."""
    import torch

    from aurl.data.tokenizers import TOKENIZERS
    from aurl.models.config import MusicModelConfig
    from aurl.models.exported import load_graphs
    from aurl.models.music_model import MusicModel
    from aurl.models.pretrained import write_model
    from aurl.utils.folders import atomic_folder

    saved = {}
    for name in ("note", "event"):
        tokenizer = TOKENIZERS.build(TOKENIZERS.parse({"name": name}))
        config = MusicModelConfig(
            vocabulary_sizes=tokenizer.vocabulary.sizes, width=WIDTH, layers=LAYERS, heads=HEADS, context=CONTEXT
        )
        model = MusicModel(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
        with atomic_folder(folder / name) as target:
            experiment = {"model": config.model_dump(mode="json"), "tokenizer": {"name": name}}
            write_model(target, model.state_dict(), experiment)
        for form in ("onnx", "int8", "int4"):
            load_graphs(folder / name, form)
        saved[name] = folder / name, rows_per_note(tokenizer)
    return saved


def rows_per_note(tokenizer: Any) -> float:
    """In the first of the built-in chorales."""
    from aurl.data.embedded import chorales_archive
    from aurl.music.midi import read_midi

    with zipfile.ZipFile(chorales_archive()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".mid")][:50]
        scores = [read_midi(archive.read(name)) for name in names]
    return sum(len(tokenizer.encode(score)) for score in scores) / sum(len(score.notes) for score in scores)


def compare(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """All engines, one after another, and what their figures mean in notes."""
    yield "machine", {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        models = save_models(Path(folder))
        for kind, (model, _) in models.items():
            yield f"logits beside PyTorch's in spreads, {kind}", largest_difference(model)
        tasks = [(f"{name}, {kind}", name, kind) for name in OURS for kind in models]
        tasks += [(name, name, "event") for name in PEERS]
        for title, name, kind in tasks:
            model, per_note = models[kind]
            for batch in BATCHES if not options.engines or name in options.engines else ():
                figures = in_process(options, name, batch, model)
                if "ms per step" in figures:
                    figures["notes/s"] = 1e3 * batch / figures["ms per step"] / per_note
                yield f"{title}, batch {batch}", figures


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", choices=[*OURS, *PEERS], help="all when not given")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    for name, kind in {"worker": str, "batch": int, "model": Path, "began": float}.items():
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options)))
        return
    result = {}
    for name, figures in compare(options):
        result[name] = figures
        if not options.json:
            print(f"{name:34}", "  ".join(f"{key} {_text(value)}" for key, value in figures.items()), flush=True)
    if options.json:
        print(json.dumps(result, indent=2))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
