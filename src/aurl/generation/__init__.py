"""Making music with a trained model: sampling, the engine, requests. Only `runtimes` imports torch."""

from aurl.generation.engine import Engine, Runtime
from aurl.generation.generator import GeneratedPiece, GenerationConfig, Progress, generate
from aurl.generation.sampling import SamplingConfig

__all__ = [
    "Engine",
    "GeneratedPiece",
    "GenerationConfig",
    "Progress",
    "Runtime",
    "SamplingConfig",
    "generate",
]
