"""Frames are counted by connection, in windows, without growing for good."""

from __future__ import annotations

from datetime import timedelta

from realtime.frame_limit import WINDOW, FrameLimit
from tests.support.world import NOW, SECOND


def test_frames_of_each_connection_are_counted_in_windows() -> None:
    limit = FrameLimit()

    assert [limit.count("c1", NOW + number * SECOND) for number in range(3)] == [1, 2, 3]
    assert limit.count("c2", NOW) == 1
    assert limit.count("c1", NOW + WINDOW) == 1


def test_replay_is_remembered_for_an_interval() -> None:
    limit = FrameLimit()
    limit.count("c1", NOW)
    assert not limit.replayed_within(SECOND, "c1", NOW)
    limit.note_replay("c1", NOW)

    assert limit.replayed_within(SECOND, "c1", NOW + timedelta(milliseconds=999))
    assert not limit.replayed_within(SECOND, "c1", NOW + SECOND)


def test_connection_that_has_ended_is_forgotten() -> None:
    limit = FrameLimit()
    limit.count("c1", NOW)
    limit.forget("c1")
    limit.forget("unknown")

    assert limit.count("c1", NOW) == 1


def test_only_the_connections_that_sent_last_are_remembered() -> None:
    limit = FrameLimit()
    limit.count("first", NOW)
    limit.count("second", NOW)
    limit.count("first", NOW)
    for number in range(999):
        limit.count(f"c{number}", NOW)

    assert limit.count("first", NOW) == 3
    assert limit.count("second", NOW) == 1
