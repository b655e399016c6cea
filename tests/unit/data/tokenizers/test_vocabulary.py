"""Names, sizes and special rows of a vocabulary of several fields."""

import pickle

from aurl.data.tokenizers.vocabulary import Field, Vocabulary

VOCABULARY = Vocabulary((
    Field("when", ("none", "0", "1")),
    Field("what", ("c", "pad", "start", "end")),
))  # fmt: skip


def test_sizes_count_the_values_of_each_field():
    assert VOCABULARY.sizes == (3, 4)


def test_special_rows_hold_the_first_value_where_a_field_lacks_the_name():
    assert VOCABULARY.start.tolist() == [0, 2]
    assert VOCABULARY.end.tolist() == [0, 3]
    assert VOCABULARY.pad.tolist() == [0, 1]


def test_a_vocabulary_survives_pickling():
    assert VOCABULARY.pad is not None
    assert pickle.loads(pickle.dumps(VOCABULARY)) == VOCABULARY
