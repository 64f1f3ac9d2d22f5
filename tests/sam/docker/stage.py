"""The running platform between two invocations: set up, and looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from events.generate import SAMPLES_FOLDER
from local import demo_data
from local.aws import aws_client
from local.sam.__main__ import receiving_function
from scheduler.messaging.topology import DEAD_LETTER_QUEUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.sam.invoke import SamLocal
    from tests.support.queues import Found, Queues
    from tests.support.store import Store

USER: Final = "user-123"
_TABLES: Final = """\
SELECT table_name FROM information_schema.tables
WHERE table_schema = database() AND table_type = 'BASE TABLE' AND table_name NOT LIKE '%%yoyo%%'
"""
_ALLOCATE: Final = """\
INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
VALUES (uuid(), '{user}', '{device}', 'ALLOCATED',
        UTC_TIMESTAMP(6) - INTERVAL {minutes} MINUTE, UTC_TIMESTAMP(6) + INTERVAL 1 DAY)
"""

_OCCUPY: Final = """\
UPDATE devices SET status = 'allocated', health = 'running' WHERE id = '{device}'
"""
"""Of a broken device, the platform's housekeeping would take the allocation away each minute."""


class Notice(NamedTuple):
    """A notification with the channels it goes to."""

    type: str
    channels: str
    message: str


@dataclass(frozen=True)
class Stage:
    """What samples are run on."""

    sam: SamLocal
    store: Store
    queues: Queues
    endpoints: Mapping[str, Any]

    def reset(self) -> None:
        """Bring back the demo data, without any allocation, and nothing else."""
        tables = [row.table_name for row in self.store.rows(_TABLES)]
        self.store.run(
            "SET SESSION foreign_key_checks = 0",
            *(f"DELETE FROM `{table}`" for table in tables),  # noqa: S608 - the catalogue's names
            "SET SESSION foreign_key_checks = 1",
        )
        demo_data.seed(self.store.settings)
        self.store.run("DELETE FROM allocations", "UPDATE devices SET status = 'available'")
        self.queues.take()
        key = {"user_id": {"S": USER}}
        aws_client("dynamodb", self.endpoints["aws"]).delete_item(
            TableName="payment-failures", Key=key
        )

    def hold(self, *devices: str, user: str = USER) -> None:
        """Let a user hold devices, the first one for the longest time."""
        for minutes, device in enumerate(reversed(devices), start=1):
            values = {"user": user, "device": device, "minutes": minutes}
            self.store.run(_ALLOCATE.format(**values), _OCCUPY.format(**values))

    def invoke(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Run a sample file through the function that gets it; return the function's result."""
        event = (SAMPLES_FOLDER / f"{name}.json").read_bytes()
        return self.sam.invoke(receiving_function(event), event)

    def row(self, columns: str, table: str, id_: str) -> Any:  # noqa: ANN401 - any columns
        """Return columns of the row with an id."""
        query = f"SELECT {columns} FROM {table} WHERE id = %s"  # noqa: S608 - names of the test
        (row,) = self.store.rows(query, id_)
        return row

    def held(self, user: str = USER) -> list[str]:
        """Return the devices a user holds, the oldest allocation first."""
        query = (
            "SELECT device_id FROM allocations WHERE user_id = %s AND status = 'ALLOCATED'"
            " ORDER BY allocated_at"
        )
        return [row.device_id for row in self.store.rows(query, user)]

    def released(self, user: str = USER) -> dict[str, str]:
        """Return the reason for which each device was taken back from a user."""
        query = (
            "SELECT device_id, release_reason FROM allocations"
            " WHERE user_id = %s AND status = 'RELEASED'"
        )
        return {row.device_id: row.release_reason for row in self.store.rows(query, user)}

    def notices(self, user: str = USER) -> list[Notice]:
        """Return what a user is told, apart from released devices."""
        return [one for one in self.all_notices(user) if one.type != "device_released"]

    def all_notices(self, user: str = USER) -> list[Notice]:
        """Return what a user is told."""
        query = (
            "SELECT n.type, group_concat(d.channel ORDER BY d.channel), n.message"
            " FROM notifications n JOIN notification_deliveries d ON d.notification_id = n.id"
            " WHERE n.user_id = %s GROUP BY n.id ORDER BY n.id"
        )
        return [Notice(*row) for row in self.store.rows(query, user)]

    def count_failures(self, count: int) -> None:
        """Let payments of the user have failed."""
        key = {"user_id": {"S": USER}}
        expires = (datetime.now(UTC) + timedelta(days=7)).timestamp()
        aws_client("dynamodb", self.endpoints["aws"]).put_item(
            TableName="payment-failures",
            Item=key | {"failure_count": {"N": str(count)}, "expires_at": {"N": str(int(expires))}},
        )

    def failures(self) -> int:
        """Return how many payments of the user failed, as the API tells it."""
        token = self.endpoints["tokens"]["admin"]
        answer = httpx.get(
            f"{self.endpoints['api']}/api/users/{USER}",
            headers={"Authorization": f"Bearer {token}"},
        )
        failures: int = answer.raise_for_status().json()["paymentFailures"]
        return failures

    def ticket(self) -> str:
        """Return a ticket of the user for the WebSocket, as the API issues it."""
        token = self.endpoints["tokens"][USER]
        answer = httpx.post(
            f"{self.endpoints['api']}/api/realtime/ticket",
            headers={"Authorization": f"Bearer {token}"},
        )
        ticket: str = answer.raise_for_status().json()["ticket"]
        return ticket

    def dead_letters(self) -> list[Found]:
        """Remove and return the dead letters."""
        return self.queues.take(DEAD_LETTER_QUEUE)
