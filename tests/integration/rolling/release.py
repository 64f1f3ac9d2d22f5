"""The functions of a release in a process of their own, and what may become of messages there."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from local.paths import ROOT
from scheduler.messaging.message import Message
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, WORK_QUEUES
from tests.integration.api.client import Client
from tests.support.events import mq_event
from tests.support.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.store import Store

ARCHIVE: Final = Path(__file__).with_name("former.tar.gz")
"""The code of the last release, as ``make release`` has archived it."""
MIGRATIONS: Final = Path("layers/scheduler/scheduler/database/migrations")
_ENTRY: Final = Path(__file__).with_name("entry")
_TIMEOUT: Final = 120.0
_DUE: Final = """
    SELECT 1 FROM notification_deliveries
    WHERE status = 'pending' AND next_attempt_at <= UTC_TIMESTAMP(6) LIMIT 1
"""


def unpack(folder: Path) -> Path:
    """Unpack the former release, and return its folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Release:
    """An execution environment with all functions of a release.

    Args:
        root: the checkout or the unpacked release.
        variables: the environment variables of the functions.
        logs: receives the log.
    """

    def __init__(self, root: Path, variables: Mapping[str, str], logs: Path) -> None:
        roots = (root / "functions", root / "layers/scheduler", _ENTRY)
        name = "current" if root == ROOT else "former"
        function = Function(
            name, "any_function.handler", variables, logs, _TIMEOUT, import_roots=roots
        )
        self._environment = LambdaEnvironment(function, name)
        self.close = self._environment.close
        self.api = Client(lambda event, _: self.invoke("allocation_api", event))

    def invoke(self, function: str, event: object) -> Any:  # noqa: ANN401 - as the function
        """Invoke a function, such as ``housekeeping``, and return its result."""
        request = {"function": function, "event": event}
        return json.loads(self._environment.invoke(json.dumps(request).encode()))

    def consume(self, *messages: Message) -> Counter[str]:
        """Deliver messages, those of a family in one event; return how they were settled."""
        totals: Counter[str] = Counter()
        for family, batch in groupby(messages, key=_family):
            totals.update(self.invoke(f"{family}_events", mq_event(*batch)))
        return totals

    def send_all(self, store: Store) -> Counter[str]:
        """Invoke the dispatcher until nothing is due, and return its results.

        One invocation may leave a delivery: claims skip rows that another channel's claim has
        locked at this moment.
        """
        totals: Counter[str] = Counter()
        while not totals or store.rows(_DUE):
            totals.update(self.invoke("notification_dispatch", {}))
        return totals


def parked(broker_url: str) -> list[Message]:
    """Take and return the messages in the retry queues, as they come back from there."""
    queues = Queues(broker_url)
    return [
        Message(work.name, found.body, {k: v for k, v in vars(found.properties).items() if v})
        for work in WORK_QUEUES
        for found in queues.take(work.retry_name)
    ]


def _family(message: Message) -> str:
    return WORK_QUEUE_BY_NAME[message.queue].family
