"""From a configuration to a trained model: corpus, tokenizer, network and loop put together."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from torch import nn

from aurl.data.dataset import TokenDataset
from aurl.data.genres import short_name
from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.data.tokenizers.base import Tokens
from aurl.evaluation.likelihood import bits_per_note
from aurl.evaluation.metrics import ANY, reference_of
from aurl.generation.generator import GenerationConfig
from aurl.models.folders import find_model, model_config, read_experiment
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import load_model
from aurl.music.score import Track
from aurl.music.theory import PROGRAM_NAMES
from aurl.pipelines.experiment import ExperimentConfig
from aurl.training.callbacks import Callback
from aurl.training.steps import TransformerStep
from aurl.training.trainer import Trainer
from aurl.utils.config import save_config
from aurl.utils.logging import configure_logging
from aurl.utils.seed import seed_everything

REFERENCE_PIECES = 100
"""Pieces whose metrics tell what music a model learned from."""
ENSEMBLES = 16
"""Most kinds of instruments together that are kept of a genre."""
logger = logging.getLogger(__name__)


class Validation:
    """Measures a model on held-out pieces, encoded once."""

    def __init__(self, pieces: list[Tokens], tokenizer: Tokenizer, config: ExperimentConfig) -> None:
        self.pieces, self.tokenizer, self.config = pieces, tokenizer, config

    @classmethod
    def of(cls, config: ExperimentConfig, data: TokenDataset) -> Validation | None:
        """The validation that `config` asks for; None, with a warning, when the corpus holds nothing out."""
        pieces = list(islice(data.pieces(config.data.valid_split), config.data.valid_pieces))
        if not pieces:
            logger.warning("the corpus has no %r pieces: training without validation", config.data.valid_split)
            return None
        return cls(pieces, data.tokenizer, config)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Bits per note and per token of the held-out pieces."""
        report = bits_per_note(
            model,  # type: ignore[arg-type]  # a MusicModel, which the Trainer knows only as a Module
            self.pieces,
            self.tokenizer,
            context=self.config.model.context,
            batch_tokens=self.config.data.batch_tokens,
        )
        return {"bits_per_note": report.bits_per_note, "bits_per_token": report.bits_per_token}


class SavedConfig(Callback):
    """Writes RUN/config.yaml once the run is known to be the same as before."""

    def __init__(self, config: ExperimentConfig, path: Path) -> None:
        self.config, self.path = config, path

    def started(self, step: int) -> None:  # noqa: ARG002 -- a callback's signature
        """Write it."""
        save_config(self.config, self.path)


def learned_from(corpus: Corpus, config: ExperimentConfig) -> dict[str, Any]:
    """What the music that is learned is like, as tokens tell it, from a part of it; kept with the model.

    `references`: where its metrics lie, by genre, where the mix tells them apart; `ANY` is all of it. `ensembles`: how
    often pieces of each genre, in lower case, have these instruments, of the most frequent.
    """
    tokenizer = TOKENIZERS.build(config.tokenizer)
    indices = corpus.indices(config.data.train_split)
    genres = [short_name(corpus.metadata(int(index)).get("genre", ""), config.data.mix) for index in indices]
    references: dict[str, Any] = {}
    ensembles: dict[str, Any] = {}
    for genre in (ANY, *config.data.mix):
        its = [int(index) for index, name in zip(indices, genres, strict=True) if genre in (ANY, name)]
        looked_at = its[:: max(1, len(its) // REFERENCE_PIECES)][:REFERENCE_PIECES]
        scores = [tokenizer.canonical(corpus.score(index))[0] for index in looked_at]
        references[genre] = {name: list(quantiles) for name, quantiles in reference_of(scores).items()}
        if genre != ANY:
            counts = Counter(tuple(map(instrument, score.tracks)) for score in scores if score.tracks)
            frequent = counts.most_common(ENSEMBLES)
            ensembles[genre.lower()] = [[count / len(scores), list(names)] for names, count in frequent]
    return {"references": references, "ensembles": ensembles}


def instrument(track: Track) -> str:
    """What a track is played on, as requests name it."""
    return "Drums" if track.is_drum else PROGRAM_NAMES[track.program]


def started(config: ExperimentConfig) -> ExperimentConfig:
    """The experiment with tokenizer, network and settings for generating of the model that it starts from, if any."""
    if config.start_from is None:
        return config
    folder = find_model(config.start_from)
    learned = read_experiment(folder)
    network = {**model_config(folder, learned).model_dump(mode="json"), "dropout": config.model.dropout}
    generation = learned.get("generation", {}) if config.generation == GenerationConfig() else {}
    return config.merged({"tokenizer": learned["tokenizer"], "model": network, "generation": generation})


def described_network(config: ExperimentConfig, tokenizer: Tokenizer) -> ExperimentConfig:
    """The experiment with what its network must know of the tokens: their values and, if they tell bars, their time."""
    told: dict[str, Any] = {"vocabulary_sizes": list(tokenizer.vocabulary.sizes)}
    if config.model.musical_time:
        clock = tokenizer.row_clock
        told |= {"musical_time": clock is not None, "row_clock": clock and clock.model_dump()}
    return config.merged({"model": told})


def training_data(config: ExperimentConfig, corpus: Corpus, tokenizer: Tokenizer) -> TokenDataset:
    """The batches that the experiment learns from."""
    told = config.data
    return TokenDataset(
        corpus,
        tokenizer,
        split=told.train_split,
        context=config.model.context,
        batch_tokens=told.batch_tokens,
        seed=config.seed,
        augment=told.augment,
        windows=told.windows,
        length=told.length,
        tasks=told.tasks,
        slips=told.slips,
        mix=told.mix,
    )


def train_model(config: ExperimentConfig, *, quiet: bool = False) -> dict[str, Any]:
    """Train, or go on from the newest checkpoint of the run; returns what was reached and where the model is."""
    config, folder = started(config), config.run_folder
    configure_logging(config.logging, folder)
    seed_everything(config.seed)
    corpus = Corpus.open(config.data.corpus)
    tokenizer = TOKENIZERS.build(config.tokenizer)
    config = described_network(config, tokenizer)
    data = training_data(config, corpus, tokenizer)
    model = MusicModel(config.model)
    validate = Validation.of(config, data)
    before: dict[str, float] = {}
    if config.start_from is not None:
        model.load_state_dict(load_model(config.start_from)[0].state_dict())
        before = {"bits_per_note_at_the_start": validate(model)["bits_per_note"]} if validate else {}
    trainer = Trainer(
        config.training,
        model,
        TransformerStep(),
        data,
        folder=folder,
        experiment={
            **config.model_dump(mode="json"),
            "corpus_fingerprint": corpus.fingerprint,
            **learned_from(corpus, config),
        },
        validate=validate,
        callbacks=[SavedConfig(config, folder / "config.yaml")],
        quiet=quiet,
    )
    state = trainer.train()
    return {
        "run": str(folder),
        "steps": state.step,
        "tokens": state.tokens,
        "minutes": state.seconds / 60,
        "parameters": model.parameter_count,
        **before,
        "best_validation_bits_per_note": state.best_score,
        "best_checkpoint": str(find_model(folder)),
        "next": f"aurl generate --model {folder} --seconds 60 --out {folder / 'piece.mid'}",
    }
