from __future__ import annotations

import pytest
from pika import BasicProperties

from operations.dead_letters.letter import DeadLetter

KEY = "scheduler.device-failed.failed"


def letter(routing_key: str = KEY, **headers: object) -> DeadLetter:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DeadLetter(routing_key, BasicProperties(headers=named), b"{}")


def test_routing_key_has_precedence_over_a_forged_source() -> None:
    forged = letter(x_source_queue="scheduler.user-deleted")

    assert forged.source_queue == "scheduler.device-failed"


def test_source_of_an_unknown_queue_comes_from_its_header() -> None:
    unknown = letter("scheduler.unknown-queue.failed", x_source_queue="orders")

    assert unknown.source_queue == "orders"


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "soon"])
def test_invalid_time_is_unknown(when: str) -> None:
    assert letter(x_failed_at=when).failed_at is None


@pytest.mark.parametrize("replays", [(1 << 63) - 1, -1, "many", None])
def test_absurd_replay_count_is_zero(replays: object) -> None:
    assert letter(x_replays=replays).replays == 0
