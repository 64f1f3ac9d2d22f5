"""A connection that is lost is replaced, and nothing is applied twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.pipeline.event_rules import EventRules
from tests.support.deciding import FAMILIES, handling_of
from tests.support.events import QUEUE_OF, message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from local.servers.mariadb import MariaDB
    from scheduler.domain.work import Work
    from tests.support.store import Store

FAILED = "device.failed"


def still_held(store: Store) -> list[str]:
    return [row.device_id for row in store.state()["allocations"] if row.status == "ALLOCATED"]


def test_connection_lost_between_batches_is_replaced(
    store: Store, functions: Functions, mariadb: MariaDB
) -> None:
    store.seed(world(held("d1"), held("d2"), held("d3")))
    functions.handle(message(FAILED, deviceId="d1"))

    mariadb.kill()
    mariadb.start()

    assert functions.handle(message(FAILED, deviceId="d2")) == {"success": 1}
    assert still_held(store) == ["d3"]


def test_connection_lost_within_a_batch_is_replaced_and_nothing_applied_twice(
    store: Store, database_url: str
) -> None:
    devices = [f"d{n}" for n in range(20)]
    store.seed(world(*(held(id_) for id_ in devices)))
    handling = handling_of(QUEUE_OF[FAILED])
    killed: list[int] = []

    def rule(event: Any, work: Work) -> None:  # noqa: ANN401 - any event
        handling.rule(event, work)
        if not killed:
            killed.append(connection_id(functions))
            store.run(f"KILL {killed[0]}")

    rules = EventRules()
    rules.on(handling.contract)(rule)
    with Functions(database_url, rules={**FAMILIES, "device": rules}) as functions:
        batch = [message(FAILED, deviceId=id_) for id_ in devices]
        assert functions.handle(*batch) == {"success": 20}

    assert still_held(store) == []
    assert len(store.state()["outgoing"]) == 20


def connection_id(functions: Functions) -> int:
    with_connection: Any = functions.database._connection
    return int(with_connection.thread_id())
