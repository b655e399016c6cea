"""All figures at once: both sides heard alike, real music inside, shuffled music not, too few pieces said so."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.evaluation import judging
from aurl.evaluation.copying import CopyIndex
from aurl.evaluation.frechet import FEWEST, frechet
from aurl.evaluation.judging import LAGS, RealMusic, bars_heard, judge
from aurl.evaluation.metrics import METRICS
from aurl.evaluation.statistics import bootstrap
from aurl.utils.errors import CorpusError
from metric_scores import bar_of, score_of


def song(seed, bars=20, *, form=True):
    """Melodies of eighths; bars 0, 4, 8 ... are the same with form, all are drawn anew without."""
    rng = np.random.default_rng(seed)
    said = [rng.choice([60, 62, 64, 65, 67, 69, 71], 8) for _ in range(4 if form else bars)]
    return score_of(*(note for bar in range(bars) for note in bar_of(bar, *said[bar % len(said)], beats=0.5)))


def songs(first, count, **form):
    return [song(seed, **form) for seed in range(first, first + count)]


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch):
    """Intervals wide enough to be right from few draws."""
    monkeypatch.setattr(judging, "frechet", partial(frechet, repeats=20))
    monkeypatch.setattr(judging, "bootstrap", partial(bootstrap, repeats=100))


@pytest.fixture(scope="module")
def real():
    learned = songs(0, 12)
    return RealMusic(held_out=songs(100, 12), learned=learned, index=CopyIndex(learned))


def test_real_music_is_like_real_music(real):
    figures = judge(songs(200, 12), real).figures
    assert not figures["left_out"]
    assert figures["inside"]["figures"]["pieces"] > 0.8
    assert figures["degenerate"] == {"pieces": 1, "real": 1}
    assert figures["frechet_hand_features"]["pieces"]["low"] < 20
    assert figures["copying"]["texture"]["passed"]


def test_music_without_form_is_found_out(real):
    told = judge(songs(200, 12, form=False), real)
    figures = told.figures
    assert figures["form"]["real"]["value"] > figures["form"]["pieces"]["high"] + 0.2
    assert figures["inside"]["by_metric"]["self_similarity_4"] == {"pieces": 0, "real": 1}
    assert figures["metrics"]["repetition"]["overlapped_area"] < 0.2
    assert figures["metrics"]["repetition"]["median"] < figures["metrics"]["repetition"]["real_1_percent"]
    assert figures["frechet_hand_features"]["pieces"]["low"] > figures["frechet_hand_features"]["real"]["value"]
    assert told.features.shape == told.real_features.shape == (12, len(METRICS))
    assert told.similarity.shape == (12, len(LAGS))
    assert np.isnan(told.similarity[:, 20:]).all()


def test_a_copy_is_not_passed_and_a_set_of_one_piece_is_not_diverse(real):
    copies = judge(real.learned[:6], real).figures
    assert not copies["copying"]["texture"]["passed"]
    again = judge([song(200)] * 4, real).figures["diversity"]["texture"]
    assert again["pieces"]["low"] > again["real"]["high"]


def test_real_pieces_are_cut_to_the_length_of_the_others(real):
    assert judge(songs(200, 3, bars=6), real).figures["bars"] == 6
    longer = judge(songs(200, 3, bars=24), real, bars=10)
    assert longer.figures["bars"] == 10
    assert np.isnan(longer.similarity[:, 10:]).all()
    assert longer.figures["left_out"].keys() == {"self_similarity_16", "frechet_hand_features"}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.one_of(st.none(), st.integers(1, 12)))
def test_half_of_the_pieces_are_as_long_as_what_is_heard(lengths, bars):
    heard = bars_heard([song(0, bars=length) for length in lengths], bars)
    assert sum(length <= heard for length in lengths) * 2 >= len(lengths) or heard == bars
    assert heard <= (bars or max(lengths))


def test_figures_that_so_few_pieces_do_not_allow_are_left_out(real):
    figures = judge([song(200)], real).figures
    assert figures["left_out"].keys() == {"frechet_hand_features", "diversity"}
    assert str(FEWEST) in figures["left_out"]["frechet_hand_features"]
    nothing_learned = judge(songs(200, 2), RealMusic(real.held_out, [], None)).figures
    assert "train split" in nothing_learned["left_out"]["copying"]
    assert np.isnan(nothing_learned["inside"]["figures"]["real"])


def test_pieces_without_notes_are_judged_too(real):
    figures = judge([score_of()] * 2, real).figures
    assert figures["degenerate"]["pieces"] == 1
    assert figures["bars"] == 1
    assert np.isnan(figures["metrics"]["mean_pitch"]["median"])


def test_vectors_of_a_model_are_compared_if_given(real):
    def embedder(scores):
        return np.array([[score.notes.pitch.mean(), score.notes.pitch.std()] for score in scores])

    found = judge(songs(200, 12), real, embedder=embedder).figures["frechet_embedding"]
    assert found["pieces"].keys() == {"value", "low", "high"}


def test_without_pieces_there_is_nothing_to_judge(real):
    with pytest.raises(CorpusError, match="no pieces to evaluate"):
        judge([], real)
    with pytest.raises(CorpusError, match="no held-out pieces"):
        judge([song(0)], RealMusic([], [], None))
