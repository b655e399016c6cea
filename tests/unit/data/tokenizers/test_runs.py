"""Where runs begin and end, and which changes count."""

import numpy as np

from aurl.data.tokenizers.runs import ends_run, last_changes, starts_run


def test_a_run_begins_where_any_column_differs():
    assert starts_run(np.array([1, 1, 1, 2]), np.array([5, 5, 6, 6])).tolist() == [True, False, True, True]
    assert starts_run(np.zeros(0)).tolist() == []


def test_a_run_ends_before_the_next_begins():
    assert ends_run(np.array([1, 1, 2, 2])).tolist() == [False, True, False, True]


def test_the_last_change_of_a_step_counts_and_repeats_do_not():
    step, value = last_changes(np.array([0, 0, 4, 4, 9]), np.array([5, 7, 1, 7, 8]), before=3)
    assert step.tolist() == [0, 9]
    assert value.tolist() == [7, 8]


def test_before_the_first_change_there_is_what_goes_without_saying():
    step, value = last_changes(np.array([4]), np.array([5]), before=3)
    assert (step.tolist(), value.tolist()) == ([0, 4], [3, 5])
