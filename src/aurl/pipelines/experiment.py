"""One configuration for a whole experiment: data, tokenizer, model, training, generation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from aurl.data.augmentation import AUGMENTATIONS, AugmentationConfig
from aurl.data.course import Course
from aurl.data.tokenizers import TOKENIZERS
from aurl.data.tokenizers.event import EventTokenizerConfig
from aurl.data.tokenizers.tasks import TasksConfig
from aurl.data.windows import Windows
from aurl.generation.generator import GenerationConfig
from aurl.models.config import MusicModelConfig
from aurl.training.trainer import TrainingConfig
from aurl.utils.config import Config
from aurl.utils.logging import LoggingConfig


class DataConfig(Config):
    """What a model is trained on, and in which portions."""

    corpus: Path = Path("runs/corpus")
    """Folder written by `aurl prepare`."""
    train_split: str = "train"
    """Split the model learns from."""
    valid_split: str = "valid"
    """Split that validation bits per note are measured on."""
    batch_tokens: int = Field(8192, ge=1)
    """Tokens in a batch, padding included; windows are `model.context` long."""
    augment: tuple[Annotated[AugmentationConfig, AUGMENTATIONS.field()], ...] = ()
    """How training varies each piece, anew in each epoch: transpose, stretch, velocity and others, in this order."""
    windows: Windows = "sliding"
    """sliding: all over a piece; truncate: its beginning alone; adaptive: sliding, but from bar lines on."""
    length: Course = Course()
    """Share of the context that windows use: a number, or a course over epochs that goes from short to long."""
    tasks: TasksConfig = TasksConfig()
    """Share of windows that tell a task: bars filled in, tracks added, controls left out."""
    slips: float = Field(0.0, ge=0, le=0.25)
    """Share of notes that are read with a mistake on average, half as many missing or added; what follows stays right.
    Above 0 a model learns to go on from slips of its own; `note` alone."""
    mix: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Genre, by a name as in the tokenizer's styles -> its share of the tokens of an epoch, of any sum; other pieces
    are left out. Empty takes every piece once."""
    valid_pieces: int | None = Field(32, ge=1)
    """Validate on the first so many pieces of the split; null takes all of them."""


class ExperimentConfig(Config):
    """Everything that decides the outcome of an experiment; saved with each checkpoint."""

    name: str = Field("experiment", min_length=1)
    """Name of the run's folder inside `folder`."""
    tags: tuple[str, ...] = ()
    """Words to find this experiment by; kept with each checkpoint and shown by `aurl info`."""
    notes: str = ""
    """What it is to show; kept and shown likewise."""
    folder: Path = Path("runs")
    """Where runs are kept."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Decides weights, data order and dropout."""
    start_from: Path | None = None
    """A trained model whose weights to begin with: a run, a model, "aurl:small". Its tokenizer and network are taken,
    but for `model.dropout`, and its `generation` unless one is given here."""
    data: DataConfig = DataConfig()
    """The corpus and how it is cut."""
    tokenizer: Annotated[Config, TOKENIZERS.field()] = EventTokenizerConfig()
    """How a score becomes rows of tokens."""
    model: MusicModelConfig = MusicModelConfig()
    """The network; its vocabulary sizes are the tokenizer's."""
    training: TrainingConfig = TrainingConfig()
    """Optimiser, schedule, length, validation, checkpoints."""
    generation: GenerationConfig = GenerationConfig()
    """Defaults of `aurl generate` for the trained model."""
    logging: LoggingConfig = LoggingConfig()
    """Level and rotation of the log files."""

    @property
    def run_folder(self) -> Path:
        """Folder of this run: checkpoints, metrics, logs."""
        return self.folder / self.name
