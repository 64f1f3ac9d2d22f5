"""The log lines of a channel worker: one for each attempt of a delivery."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from notification_dispatch import channel_worker
from notification_dispatch.channel_worker import MAX_CLAIMED, ChannelWorker
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from notification_dispatch.send_window import SendWindow
from scheduler.aws_errors import ErrorClass
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.outbox.retry_policy import ProviderError
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.workers import (
    EMAIL_ONLY,
    invocation,
)
from tests.support.deliveries import FakeSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class WrittenLog(io.StringIO):
    """The log of the worker, which counts its writes."""

    writes = 0

    def write(self, text: str) -> int:
        """Write and count."""
        self.writes += 1
        return super().write(text)

    @property
    def text(self) -> str:
        """Return the whole log."""
        return self.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the lines, parsed."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[WrittenLog]:
    handler: Any = channel_worker.logger.registered_handler
    before = handler.setStream(WrittenLog())
    yield handler.stream
    handler.setStream(before)


def test_each_delivery_has_one_log_line(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, log: WrittenLog
) -> None:
    responses: dict[str, SendResponse] = {
        "secret 1": Accepted("mail-1"),
        "secret 2": Unreachable("no e-mail address known"),
        "secret 3": ProviderError(ErrorClass.PERMANENT, "MessageRejected: no"),
        "secret 4": ProviderError(ErrorClass.TRANSIENT, "Timeout"),
        "secret 5": ProviderError(ErrorClass.THROTTLED, "TooManyRequestsException"),
    }
    outbox.add_users(("user-123", "someone@example.com", None))
    new = [
        NewNotification(user_id="user-123", message=text, channels=EMAIL_ONLY) for text in responses
    ]
    outbox.add(*new)

    worker = make_worker(
        FakeSender(respond=lambda one: responses[one.message]),
        jitter=lambda: 1.0,  # with less, the throttled one could be due again in this invocation
    )
    worker.work(invocation())

    lines = {line["notification_id"]: line for line in log.lines}
    assert [lines[one.id]["message"] for one in new] == [
        f"Notification {outcome}: device_released to user user-123"
        for outcome in ("sent", "skipped", "failed", "retried", "postponed")
    ]
    levels = ["INFO", "INFO", "ERROR", "WARNING", "INFO"]
    assert [lines[one.id]["level"] for one in new] == levels
    sent = lines[new[0].id]
    about = {"outcome": "sent", "channel": "email", "user_id": "user-123", "attempt": 1}
    about |= {"type": "device_released", "provider_message_id": "mail-1"}
    assert sent | about == sent
    assert len(log.lines) == len(new)
    assert not any(word in log.text for word in ("secret", "example.com", "设备"))


def test_log_lines_are_written_with_their_batch(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, log: WrittenLog
) -> None:
    count = 3 * MAX_CLAIMED
    outbox.add(*to_each_user(count, channels=EMAIL_ONLY))
    window = SendWindow(initial_size=MAX_CLAIMED, max_size=MAX_CLAIMED)

    make_worker(FakeSender(), window=window).work(invocation())

    assert len(log.lines) == count
    assert log.writes <= count / 5


def test_deliveries_that_cannot_be_recorded_are_logged(
    make_worker: Callable[..., ChannelWorker],
    outbox: Outbox,
    log: WrittenLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise DatabaseUnavailableError("gone")

    outbox.add(*to_each_user(3, channels=EMAIL_ONLY))
    monkeypatch.setattr("scheduler.outbox.claims.Claims.record", refuse)
    monkeypatch.setattr("notification_dispatch.channel_worker._RECORD_RETRY_DELAYS", ())

    with pytest.raises(DatabaseUnavailableError):
        make_worker(FakeSender()).work(invocation())

    assert {line["outcome"] for line in log.lines} == {"sent"}
