"""A canary's message fails its batch once, to show that it is delivered again as redelivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.domain.model import CANARY_PREFIX
from scheduler.messaging.message import FAIL_UNTIL_HEADER, to_milliseconds
from scheduler.messaging.record import Undecodable
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, SHARD_KEY_HEADER
from scheduler.pipeline.redelivery import (
    MAX_FAILING,
    NOT_REDELIVERED,
    CanaryFailureError,
    fail_once,
)
from tests.support.events import message
from tests.support.world import NOW, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message
    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

CANARY = f"{CANARY_PREFIX}1"


def failing(
    of: str = CANARY, until: datetime = NOW + SECOND, *, redelivered: bool = False
) -> Message:
    headers = {FAIL_UNTIL_HEADER: to_milliseconds(until), SHARD_KEY_HEADER: of}
    return message(
        "user.activated", id="canary", userId=of, headers=headers, redelivered=redelivered
    )


def applied(store: Store) -> list[str]:
    return [row.message_id for row in store.state()["processed"]]


@pytest.mark.parametrize("until", [NOW + SECOND, NOW + MAX_FAILING])
def test_batch_fails_at_first_and_is_applied_when_redelivered(
    functions: Functions, store: Store, until: datetime
) -> None:
    other = message("user.activated", id="other")

    with pytest.raises(CanaryFailureError):
        functions.handle(other, failing(until=until))
    assert applied(store) == []
    totals = functions.handle(other._replace(redelivered=True), failing(redelivered=True))

    assert totals == {"success": 2}
    assert applied(store) == ["canary", "other"]
    assert store.rows("SELECT * FROM delivery_attempts") == []


@pytest.mark.parametrize("until", [NOW, NOW + MAX_FAILING + SECOND], ids=["over", "too far ahead"])
def test_message_that_is_not_redelivered_in_time_becomes_a_dead_letter(
    connected: Functions, queues: Queues, until: datetime
) -> None:
    totals = connected.handle(failing(until=until))

    assert totals == {"invalid": 1}
    (letter,) = queues.take(DEAD_LETTER_QUEUE)
    assert letter.properties.headers["x-error"] == NOT_REDELIVERED


def test_batch_that_has_failed_does_not_fail_again_for_another_canary(
    functions: Functions, store: Store
) -> None:
    other = message("user.activated", id="other", redelivered=True)

    assert functions.handle(other, failing()) == {"success": 2}
    assert applied(store) == ["canary", "other"]


def test_canary_behind_a_redelivered_message_keeps_its_other_headers() -> None:
    _, canary = fail_once([message("user.activated", redelivered=True), failing()], NOW)

    assert not isinstance(canary, Undecodable)
    assert canary.headers == {SHARD_KEY_HEADER: CANARY}


def test_message_that_is_not_about_a_canary_fails_no_batch(functions: Functions) -> None:
    assert functions.handle(failing("u1")) == {"success": 1}
