from __future__ import annotations

import pickle

import pytest

from aurl.utils import errors
from aurl.utils.errors import AurlError, MidiError, MissingExtraError, UnknownNameError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AurlError)]


def test_message_says_what_was_wrong_what_was_found_and_what_to_do():
    assert str(AurlError("the cup is empty", found=0, hint="fill it")) == "the cup is empty; found: 0; fill it"
    assert str(AurlError("the cup is empty")) == "the cup is empty"


@pytest.mark.parametrize("kind", ALL)
def test_error_crosses_a_process_boundary_whole(kind):
    error = pickle.loads(pickle.dumps(kind("p", found=[1], hint="h")))
    assert (type(error), error.problem, error.found, error.hint) == (kind, "p", [1], "h")


def test_exit_codes_are_those_of_the_module_docstring():
    rows = [line.split() for line in (errors.__doc__ or "").splitlines() if "Error " in line or "Interrupted " in line]
    codes = {next(w for w in row if w[0].isalpha()): int(next(w for w in row if w.isdigit())) for row in rows}
    assert codes == {kind.__name__: kind.exit_code for kind in ALL}


def test_unknown_name_suggests_or_lists():
    assert UnknownNameError.among("fruit", "aple", ["pear", "apple"]).hint == "did you mean 'apple'?"
    assert UnknownNameError.among("fruit", "zzz", ["pear", "apple"]).hint == "known: apple, pear"
    assert UnknownNameError.among("fruit", "zzz", []).hint == "known: none"


def test_missing_package_says_how_to_add_it():
    assert str(MissingExtraError.of("mido", "dev")) == 'mido is not installed; run: pip install "aurl[dev]"'


def test_every_error_is_caught_as_one():
    with pytest.raises(AurlError):
        raise MidiError("no header")
