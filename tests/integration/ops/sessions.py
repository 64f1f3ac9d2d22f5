"""Records how an operator answers three questions, each in at most two steps."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from scheduler.domain.notices import Channel
from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.integration.ops.letters import letter
from tests.integration.ops.running import run
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.ops.letters import Broker
    from tests.support.store import Store

VANISHED_AT: Final = datetime(2026, 3, 1, 6, 3, 12, tzinfo=UTC)
_ROW: Final = re.compile(r"(message id )\d+")
"""The number of a row in the database depends on the tests before."""


def phone_vanished(store: Store, broker: Broker) -> Iterator[str]:
    """A device failed, and its user was not connected."""
    before = VANISHED_AT - timedelta(hours=1)
    store.seed(world(user("user-123", locale="en"), held("device-042", "user-123", before)))
    failed = message(
        "device.failed", id="evt-8f2c", deviceId="device-042", reason="Docker container crashed"
    )
    properties = {**failed.properties, "app_id": "device-monitor", "correlation_id": "req-77"}
    url = store.settings.database_url.get_secret_value()
    with Functions(url, broker.url, clock=lambda: VANISHED_AT) as functions:
        functions.handle(failed._replace(properties=properties))
    store.run(
        "UPDATE notification_deliveries SET status = 'skipped', attempts = 1,"
        " last_error = 'not connected; it waits in the inbox'",
        "UPDATE outgoing_events SET published_at = created_at",
    )
    yield from step("timeline user user-123 --at 2026-03-01T14:03+08:00")


def notifications_are_late(store: Store, _broker: Broker) -> Iterator[str]:
    """SES throttles, so e-mails wait."""
    late = datetime.now(UTC) - timedelta(minutes=12)
    Outbox(store).add(
        *[NewNotification(f"u{n}", channels=(Channel.EMAIL,), at=late) for n in range(120)]
    )
    store.run(
        "UPDATE notification_deliveries SET attempts = 2,"
        " last_error = 'TooManyRequestsException: Maximum sending rate exceeded.',"
        " next_attempt_at = UTC_TIMESTAMP() + INTERVAL 1 HOUR"
    )
    yield from step("outbox")


def alarm_at_night(_store: Store, broker: Broker) -> Iterator[str]:
    """A deployment brought a bug, which was rolled back."""
    at = datetime.now(UTC) - timedelta(hours=3, minutes=30)
    broker.publish(
        *[
            letter(
                "user.suspended",
                id=f"evt-{number}",
                error="OperationalError: (1054, \"Unknown column 'users.tier'\")",
                failed_at=at,
            )
            for number in (501, 502, 503)
        ]
    )
    yield from step("dead-letters list")
    yield from step("dead-letters replay --queue user.suspended")


SESSIONS: Final[dict[str, Callable[[Store, Broker], Iterator[str]]]] = {
    "The phone vanished at 14:03": phone_vanished,
    "Notifications are late": notifications_are_late,
    "An alarm at 3 a.m.: there are dead letters": alarm_at_night,
}
"""By the heading in docs/three-questions.md."""


def step(command: str) -> Iterator[str]:
    """Run a command of ``scheduler-ops``, and yield it and what it prints."""
    result = run(*shlex.split(command))
    assert result.exit_code == 0, result.output
    yield f"$ scheduler-ops {command}"
    for line in result.stdout.splitlines():
        yield _ROW.sub(r"\g<1>1", line.rstrip())
