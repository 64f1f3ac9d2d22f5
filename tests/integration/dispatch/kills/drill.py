"""Kills the dispatcher again and again while notifications are written; the last one finishes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from local.aws import aws_client, sent_messages
from local.environment import SENDER, aws_environment
from scheduler.domain.notices import Channel
from tests.integration.dispatch.kills.report import KillReport
from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.support.provider import CONNECTIONS, Provider
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TABLE: Final = "realtime-connections"
USERS: Final = 10
FINISH_SECONDS: Final = 120

_FAR_AHEAD: Final = "4000000000"
_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """How often to kill, how many notifications to write per second; lives are in seconds."""

    kills: int
    rate: float
    seed: int = 1
    min_life: float = 0.2
    max_life: float = 0.8


def run(
    plan: Plan,
    database_url: str,
    aws_url: str,
    progress: Callable[[int], None] = lambda _: None,
) -> KillReport:
    """Run a drill. The database and moto are empty but for the table of connections."""
    store = Store(database_url)
    outbox = Outbox(store)
    outbox.add_users(*[(f"u{n}", f"u{n}@example.com", f"+861380000000{n}") for n in range(USERS)])
    _connect(aws_url)
    with Provider() as provider:
        with _fork_server(_environment(database_url, aws_url, provider.url)) as new_dispatcher:
            with _writing(outbox, plan.rate):
                _kill(plan, new_dispatcher, progress)
            new_dispatcher()
            _wait_until_finished(store)
        report = KillReport.of(plan.kills, outbox.rows(), _accepted(provider, aws_url))
    store.database.close()
    return report


def _kill(plan: Plan, new_dispatcher: Callable[[], int], progress: Callable[[int], None]) -> None:
    rng = random.Random(plan.seed)  # noqa: S311 - not for security
    for number in range(plan.kills):
        pid = new_dispatcher()
        time.sleep(rng.uniform(plan.min_life, plan.max_life))
        os.kill(pid, signal.SIGKILL)
        progress(number + 1)


@contextmanager
def _writing(outbox: Outbox, rate: float) -> Iterator[None]:
    """Insert notifications for all channels in the background, ``rate`` per second."""
    stop = Event()

    def write() -> None:
        started, written = time.monotonic(), 0
        while not stop.wait(_STEP):
            due = int((time.monotonic() - started) * rate) - written
            now = datetime.now(UTC)
            outbox.add(*[_notification((written + n) % USERS, now) for n in range(due)])
            written += due

    writer = Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def _notification(user: int, now: datetime) -> NewNotification:
    one = NewNotification(f"u{user}", at=now)
    # Every text is the id, so that the provider's copy can be identified. Without device and kind
    # each is sent on its own: it is neither superseded nor put into a digest.
    id_ = one.id
    return NewNotification(one.user_id, id=id_, message=id_, title=id_, data="{}", kind="", at=now)


@contextmanager
def _fork_server(environment: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """Yield a function that forks a dispatcher and returns its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.dispatch.kills.fork_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin
    assert process.stdout
    commands, pids = process.stdin, process.stdout

    def new_dispatcher() -> int:
        commands.write("\n")
        commands.flush()
        return int(pids.readline())

    with process:
        yield new_dispatcher
        commands.close()


def _environment(database_url: str, aws_url: str, provider_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "BROKER_URL": "amqp://127.0.0.1:1/nowhere",  # outgoing events are not published
        "REALTIME_CONNECTIONS_TABLE": TABLE,
        "WEBSOCKET_ENDPOINT": provider_url,
        "EMAIL_FROM": SENDER,
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        **aws_environment(aws_url),
    }


def _connect(aws_url: str) -> None:
    client = aws_client("dynamodb", aws_url)
    for n in range(USERS):
        item = {"connection_id": {"S": f"c{n}"}, "user_id": {"S": f"u{n}"}}
        client.put_item(TableName=TABLE, Item={**item, "expires_at": {"N": _FAR_AHEAD}})


def _wait_until_finished(store: Store) -> None:
    deadline = time.monotonic() + FINISH_SECONDS
    pending = "SELECT COUNT(*) FROM notification_deliveries WHERE status = 'pending'"
    while store.rows(pending) != [(0,)] and time.monotonic() < deadline:
        time.sleep(_STEP)


def _accepted(provider: Provider, aws_url: str) -> Counter[tuple[str, str]]:
    accepted: Counter[tuple[str, str]] = Counter()
    accepted.update((Channel.WEBSOCKET, one.body["id"]) for one in provider.requests(CONNECTIONS))
    accepted.update((Channel.EMAIL, mail.subject) for mail in sent_messages(aws_url).mails)
    accepted.update((Channel.SMS, sms.text) for sms in sent_messages(aws_url).sms)
    return accepted
