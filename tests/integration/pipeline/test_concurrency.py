"""Functions of several queues that work on the same users and devices at once."""

from collections import Counter
from collections.abc import Iterable

import pytest

from scheduler.messaging.message import Message
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.queues import Queues
from tests.support.store import State, Store
from tests.support.together import together
from tests.support.world import MINUTE, NOW, held, user, world

SIZE = 30
DEVICES = [f"d{n}" for n in range(SIZE)]


def consume(database_url: str, broker_url: str, *batches: Iterable[Message]) -> list[Counter[str]]:
    """Process all batches at once, each in its own execution environment."""
    listed = [list(batch) for batch in batches]
    made = [Functions(database_url, broker_url) for _ in listed]

    def action(functions: Functions, batch: list[Message]) -> Counter[str]:
        with functions:
            return functions.handle(*batch)

    return together(
        *(
            lambda functions=functions, batch=batch: action(functions, batch)
            for functions, batch in zip(made, listed, strict=True)
        )
    )


def assert_each_released_once(state: State) -> None:
    assert {row.status for row in state["allocations"]} == {"RELEASED"}
    released = [row.body["allocationId"] for row in state["outgoing"]]
    assert sorted(released) == sorted(row.id for row in state["allocations"])
    told = [row.dedupe_key for row in state["notifications"] if row.type == "device_released"]
    assert len(told) == len(state["allocations"])
    assert {row.status for row in state["devices"]} == {"available"}


@pytest.mark.parametrize("_round", range(2))
def test_failing_devices_and_the_suspension_of_their_holder_can_run_at_once(
    _round: int, store: Store, database_url: str, broker_url: str
) -> None:
    store.seed(world(*(held(id_) for id_ in DEVICES)))
    failing = [message("device.failed", deviceId=id_) for id_ in DEVICES]

    totals = consume(database_url, broker_url, failing, [message("user.suspended")])

    assert totals == [{"success": SIZE}, {"success": 1}]
    state = store.state()
    assert_each_released_once(state)
    assert state["users"][0].status == "suspended"
    assert {row.health for row in state["devices"]} == {"failed"}


@pytest.mark.parametrize("_round", range(2))
def test_all_releasing_queues_can_work_on_the_same_devices_at_once(
    _round: int, store: Store, database_url: str, broker_url: str
) -> None:
    store.seed(world(*(held(id_, by=f"u{n % 4}") for n, id_ in enumerate(DEVICES))))
    users = [f"u{n}" for n in range(4)]
    batches = [
        [message("device.failed", deviceId=id_) for id_ in DEVICES],
        [message("device.maintenance", deviceId=id_) for id_ in reversed(DEVICES)],
        [message("device.deleted", deviceId=id_) for id_ in DEVICES[::2]],
        [message("user.suspended", userId=id_) for id_ in users],
        [message("billing.overdue", userId=id_) for id_ in reversed(users)],
        [message("user.quota_exceeded", userId=id_, limit=0) for id_ in users],
    ]

    totals = consume(database_url, broker_url, *batches)

    settled = sum(totals, Counter())
    assert settled["success"] + settled["outdated"] == sum(map(len, batches))
    state = store.state()
    assert_each_released_once(state)
    assert all((row.status, row.billing_hold) == ("suspended", 1) for row in state["users"])
    assert {row.health for row in state["devices"] if row.id in DEVICES[::2]} == {"deleted"}


@pytest.mark.parametrize("event_type", ["device.failed", "user.suspended"])
def test_batch_that_is_processed_twice_at_once_is_applied_once(
    event_type: str, store: Store, database_url: str, broker_url: str
) -> None:
    """A batch is redelivered while the function that timed out still processes it."""
    store.seed(world(*(held(id_, by=f"u{id_}") for id_ in DEVICES)))
    batch = [message(event_type, deviceId=id_, userId=f"u{id_}") for id_ in DEVICES]

    totals = consume(database_url, broker_url, batch, batch, batch)

    assert sum(totals, Counter()) == {"success": SIZE, "duplicate": 2 * SIZE}
    assert_each_released_once(store.state())


def test_three_queues_with_unknown_users_at_once_are_all_applied(
    store: Store, database_url: str, broker_url: str
) -> None:
    users = [f"u{n}" for n in range(SIZE)]

    totals = consume(
        database_url,
        broker_url,
        [message("user.suspended", userId=id_) for id_ in users],
        [message("billing.overdue", userId=id_) for id_ in reversed(users)],
        [message("user.quota_updated", userId=id_, newQuota={"maxDevices": 3}) for id_ in users],
    )

    assert totals == [{"success": SIZE}] * 3
    state = store.state()
    assert {(row.status, row.billing_hold, row.max_devices) for row in state["users"]} == {
        ("suspended", 1, 3)
    }
    assert len(state["users"]) == SIZE
    assert len(state["marks"]) == 3 * SIZE


def test_two_queues_with_unknown_devices_at_once_are_both_applied(
    store: Store, database_url: str, broker_url: str
) -> None:
    older = NOW - MINUTE
    totals = consume(
        database_url,
        broker_url,
        [message("device.failed", deviceId=id_) for id_ in DEVICES],
        [message("device.created", deviceId=id_, cpuCores=4, at=older) for id_ in DEVICES],
    )

    assert totals == [{"success": SIZE}] * 2
    assert {(row.health, row.cpu_cores) for row in store.state()["devices"]} == {("failed", 4)}


def test_suspended_user_keeps_no_device_while_devices_are_reallocated(
    store: Store, database_url: str, broker_url: str
) -> None:
    """Another user is allocated each device as soon as it is free."""
    store.seed(world(user("u2"), *(held(id_) for id_ in DEVICES)))

    def suspend() -> object:
        with Functions(database_url, broker_url) as functions:
            return functions.handle(message("user.suspended"))

    def reallocate() -> object:
        while not store.rows("SELECT 1 FROM devices WHERE status = 'available' LIMIT 1"):
            pass
        store.run(
            "UPDATE devices SET status = 'allocated' WHERE status = 'available'",
            "INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)"
            " SELECT CONCAT('new-', d.id), 'u2', d.id, 'ALLOCATED', NOW(6), NOW(6) FROM devices d"
            " LEFT JOIN allocations a ON a.active_device_id = d.id WHERE a.id IS NULL",
        )
        return None

    together(suspend, reallocate)
    with Functions(database_url, broker_url) as functions:
        functions.handle(message("user.suspended", id="again"))

    holders = {row.user_id for row in store.state()["allocations"] if row.status == "ALLOCATED"}
    assert holders == {"u2"}
    assert len(store.state()["outgoing"]) == SIZE


def test_concurrent_functions_leave_nothing_in_the_retry_queues(
    store: Store, database_url: str, broker_url: str, queues: Queues
) -> None:
    store.seed(world(*(held(id_) for id_ in DEVICES)))
    names = ("device.failed", "device.maintenance", "device.deleted", "device.status_changed")
    batches = [[message(name, deviceId=id_) for id_ in DEVICES] for name in names]

    consume(database_url, broker_url, *batches)

    assert [queues.depth(f"{batch[0].queue}.retry") for batch in batches] == [0] * 4
    assert queues.take() == []
