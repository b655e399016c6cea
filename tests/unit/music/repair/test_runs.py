"""What is found many at a time is what is found one by one."""

from hypothesis import given
from hypothesis import strategies as st

from aurl.music.repair.container import TRACK_NAME, _names
from aurl.music.repair.events import read_run
from aurl.music.repair.syntax import read_event


@given(st.lists(st.sampled_from([b"M", b"T", b"r", b"k", b"\0", b"x", b"MTrk"]), max_size=24).map(b"".join))
def test_names_of_tracks_are_those_of_the_slow_search(data):
    assert list(_names(data, 0)) == [found.span() for found in TRACK_NAME.finditer(data)]


LONG_EVENTS = [
    b"\xff\1\4text", b"\xff\3\0", b"\xff\x51\3\7\xa1\x20", b"\xff\x51\2\7\xa1", b"\xff\x2f\0", b"\xff\x2f\1x",
    b"\xf0\2\1\xf7", b"\xf7\1\1", b"\xff\1\x81\0" + b"x" * 128, b"\xff\1\x80\3abc", b"\xff\x85\1", b"\xf4",
    b"\xff\1\x7fcut",
]  # fmt: skip


@given(
    st.lists(st.sampled_from([*LONG_EVENTS, b"\x90\x3c\x40", b"\x3e\x40", b"\xc0\5", b"\7"]), max_size=12),
    st.sampled_from([0, 0x90, 0xC0]),
)
def test_a_run_holds_the_events_that_are_read_one_by_one(parts, running):
    data = b"".join(bytes([wait % 3]) + part for wait, part in enumerate(parts))
    run = read_run(data, running)
    at = 0
    for row in range(len(run.at)):
        event = read_event(data, at, len(data), running)
        assert event == (run.delta[row], run.status[row], run.body[row], run.end[row])
        assert not (event.status == 0xFF and data[event.body] == 0x2F)
        said = b"\0\0" if event.status >= 0xF0 else data[event.body : event.end] + b"\0"
        assert (run.first[row], run.second[row]) == tuple(said[:2])
        running = event.status if event.status < 0xF0 else running
        at = event.end
    event = read_event(data, at, len(data), running)
    assert event is None or (event.status == 0xFF and (data[event.body] == 0x2F or data[event.body + 1] >= 0x80))
