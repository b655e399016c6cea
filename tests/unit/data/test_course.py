"""Shares by epoch."""

import pytest

from aurl.data.course import Course
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError


class Holder(Config):
    share: Course = Course()


def test_a_number_is_a_constant():
    assert [Holder.parse({"share": 0.3}).share.at(epoch) for epoch in (0, 5, 50)] == [0.3] * 3
    assert Course().at(7) == 1


def test_a_course_goes_from_start_to_end_and_stays():
    course = Course(kind="linear", start=0.2, end=1, epochs=5)
    assert [course.at(epoch) for epoch in (0, 2, 4, 9)] == pytest.approx([0.2, 0.6, 1, 1])
    assert Course(kind="linear", epochs=1).at(3) == 1


def test_a_saved_course_is_the_same():
    course = Holder(share=Course(kind="piecewise", points=((0, 0), (0.5, 1))))
    assert Holder.parse(course.model_dump(mode="json")) == course


@pytest.mark.parametrize("share", [2, -0.1, {"kind": "linear", "end": 3}, {"kind": "piecewise", "points": [[0, 2]]}])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ConfigError):
        Holder.parse({"share": share})
