"""The registry of tokenizers, fingerprints, and reports of what is lost."""

import pytest

from aurl.data.tokenizers import TOKENIZERS, EventTokenizer, LossReport
from aurl.utils.errors import UnknownNameError


def test_the_registry_builds_the_event_tokenizer_by_name():
    assert isinstance(TOKENIZERS.build(TOKENIZERS.parse("event")), EventTokenizer)


def test_an_unknown_tokenizer_is_refused_with_the_closest_name():
    with pytest.raises(UnknownNameError, match="'event'"):
        TOKENIZERS.parse("evnt")


def test_the_fingerprint_depends_on_the_version_only_where_the_config_is_the_same():
    class Later(EventTokenizer):
        VERSION = EventTokenizer.VERSION + 1

    Later.__name__ = "EventTokenizer"
    assert EventTokenizer().fingerprint == EventTokenizer().fingerprint
    assert EventTokenizer().fingerprint != Later().fingerprint


def test_reports_add_their_counts_and_keep_their_largest_errors():
    total = LossReport({"texts": 1}, {"velocity_error": 2.0}) + LossReport({"texts": 2, "controls": 3}, {})
    assert total == LossReport({"texts": 3, "controls": 3}, {"velocity_error": 2.0})


def test_the_summary_names_what_was_lost_and_nothing_else():
    report = LossReport({"notes_merged": 2, "texts": 0}, {"velocity_error": 1.5, "tempo_error_bpm": 0.0})
    assert report.summary() == "2 notes merged; velocity error up to 1.5"
    assert LossReport({"texts": 0}, {"velocity_error": 0.0}).summary() == "nothing is lost"
