"""How late notifications are: the delays that an invocation of the dispatcher measures."""

from __future__ import annotations

from dataclasses import replace
from datetime import time as clock_time
from typing import Any

import pytest

from notification_dispatch.invocation import Invocation
from scheduler.deadline import NEVER
from scheduler.domain.notices import Channel
from scheduler.notification.preferences import QuietHours
from scheduler.outbox.delivery import DeliveryOutcome, DeliveryResult
from tests.support.deliveries import REACHABLE, delivery
from tests.support.world import NOW, SECOND

QUIET = QuietHours(clock_time(22), clock_time(7), "UTC")


def measured(outcome: DeliveryOutcome = DeliveryOutcome.SENT, **fields: Any) -> Any:  # noqa: ANN401 - any field, and a dict
    invocation = Invocation(NEVER, 1)
    invocation.measure([DeliveryResult(delivery(**fields), outcome)], NOW + 3 * SECOND)
    return invocation.delays


def test_delay_is_from_the_notification_to_its_delivery() -> None:
    assert measured(channel=Channel.SMS) == {Channel.SMS: [3.0]}


@pytest.mark.parametrize("outcome", sorted(set(DeliveryOutcome) - {DeliveryOutcome.SENT}))
def test_what_was_not_sent_has_no_delay(outcome: DeliveryOutcome) -> None:
    assert measured(outcome) == {}


def test_users_who_are_meant_to_wait_are_not_measured() -> None:
    assert measured(stands_for=5) == {}
    assert measured(recipient=replace(REACHABLE, quiet_hours=QUIET)) == {}
