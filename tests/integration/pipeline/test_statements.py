"""The number of statements of a batch does not depend on its size."""

from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.domain.brake import BrakeLimits
from scheduler.domain.guard import Concern
from scheduler.domain.state import Snapshot
from scheduler.messaging.message import Message
from scheduler.messaging.topology import NOTIFICATION_QUEUE
from tests.support.events import EVENT_TYPES, message
from tests.support.functions import Functions
from tests.support.statements import Statements, counted, waits
from tests.support.store import Store
from tests.support.world import MINUTE, NOW, device, held, mark, user, world

SIZES = (1, 10, 100, 1000)
LIMIT = 14
NOTES = 1
"""The statement and commit that note the messages of a batch that were not applied."""

# SELECTs and writes of a batch in which every message has a known user or device, a device to
# release and a mark to advance. If running devices become free, one SELECT reads the waiting line;
# if devices fail, the brake is read and stored.
COSTS = {
    "device.failed": (5, 8),
    "device.deleted": (4, 7),
    "device.status_changed": (5, 8),
    "device.maintenance": (4, 7),
    "device.created": (4, 3),
    "user.deleted": (6, 7),
    "user.suspended": (5, 8),
    "user.quota_updated": (5, 8),
    "user.quota_exceeded": (5, 6),
    "user.activated": (4, 3),
    "billing.payment_failed": (6, 7),
    "billing.balance_low": (4, 3),
    "billing.overdue": (5, 8),
    "billing.payment_success": (5, 5),
    "billing.recharged": (5, 5),
}

# device.failed: the holders, then the locks. user.suspended: the locks, then the devices of the
# users, then the waiting line.
WAITS_FOR_READS = {"device.failed": 2, "user.suspended": 3}


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    """The functions with a brake, as deployed; it never engages here."""
    with Functions(database_url, brake=BrakeLimits(share=1, devices=1_000_000)) as made:
        yield made


def about(event_type: str, n: int, **fields: Any) -> Message:  # noqa: ANN401 - any field
    """Return an event about user or device number n that releases everything."""
    subject = {"deviceId": f"d{n}"} if event_type.startswith("device") else {"userId": f"u{n}"}
    more: dict[str, dict[str, Any]] = {
        "user.quota_updated": {"newQuota": {"maxDevices": 0}},
        "user.quota_exceeded": {"limit": 0},
    }
    return message(event_type, **subject | more.get(event_type, {}) | fields)


def everyone(size: int) -> Snapshot:
    """Return users with a device each, and with marks for every user and device."""
    concerns = (Concern.ACCOUNT, Concern.QUOTA, Concern.BILLING)
    of_users = [
        mark(concern, NOW - MINUTE, id_=f"u{n}") for n in range(size) for concern in concerns
    ]
    of_devices = [mark(Concern.HEALTH, NOW - MINUTE, id_=f"d{n}") for n in range(size)]
    holding = [held(f"d{n}", by=f"u{n}") for n in range(size)]
    return world(*holding, marks=[*of_users, *of_devices])


def cost(functions: Functions, messages: list[Message]) -> Statements:
    with counted(functions.database) as statements:
        assert functions.handle(*messages) == {"success": len(messages)}
    return statements


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_cost_of_a_batch_does_not_depend_on_its_size(
    event_type: str, store: Store, functions: Functions
) -> None:
    spent = {}
    for size in SIZES:
        store.clear()
        store.seed(everyone(size))
        if event_type == "billing.payment_failed":
            at_the_threshold(functions, size)
        statements = cost(functions, [about(event_type, n) for n in range(size)])
        spent[size] = (statements.selects, statements.writes)
        assert (statements.commits, statements.rollbacks) == (1, 0)

    expected = COSTS.get(event_type, spent[1])
    assert spent == dict.fromkeys(SIZES, expected)
    assert sum(expected) <= LIMIT


def at_the_threshold(functions: Functions, users: int) -> None:
    """Make the next failed payment of each user reach the threshold."""
    for n in range(users):
        for id_ in ("first", "second"):
            functions.counter.count(f"u{n}", f"{id_} before {users}", NOW, NOW)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_batch_with_every_outcome_stays_below_the_limit(
    event_type: str, store: Store, functions: Functions
) -> None:
    """Known and unknown users and devices, outdated, duplicate and failing messages."""
    store.seed(everyone(20))
    late = about(event_type, 1, timestamp=(NOW - 2 * MINUTE).isoformat())
    twice = about(event_type, 2)
    strangers = [about(event_type, n) for n in range(100, 110)]
    batch = [*(about(event_type, n) for n in range(3, 20)), late, twice, twice, *strangers]
    if event_type == "billing.payment_failed":
        at_the_threshold(functions, 20)

    with counted(functions.database) as statements:
        functions.handle(*batch)

    assert statements.total <= LIMIT + NOTES
    assert statements.commits == 1 + NOTES


@pytest.mark.parametrize(("event_type", "reads"), [("device.failed", 4), ("user.suspended", 3)])
def test_batch_of_duplicates_costs_reads_and_their_note(
    event_type: str, reads: int, store: Store, functions: Functions
) -> None:
    batch = [about(event_type, n) for n in range(50)]
    store.seed(everyone(50))
    functions.handle(*batch)

    with counted(functions.database) as statements:
        functions.handle(*batch)

    assert (statements.selects, statements.writes) == (reads, NOTES)


def test_user_with_many_devices_costs_no_more(store: Store, functions: Functions) -> None:
    store.seed(world(user(), *(held(f"d{n}") for n in range(500)), device("free")))

    statements = cost(functions, [message("user.suspended")])

    assert (statements.selects, statements.writes) == COSTS["user.suspended"]
    assert store.rows("SELECT COUNT(*) FROM allocations WHERE status = 'RELEASED'") == [(500,)]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(("event_type", "reads"), WAITS_FOR_READS.items())
def test_batch_waits_only_for_reads_that_others_depend_on_and_once_for_its_writes(
    event_type: str, reads: int, size: int, store: Store, functions: Functions
) -> None:
    store.seed(everyone(size))
    messages = [about(event_type, n) for n in range(size)]

    with waits(functions.database) as waited:
        functions.handle(*messages)

    ping, writes, commit = 1, 1, 1
    assert waited == [ping + reads + writes + commit]


@pytest.mark.parametrize("size", [1, 1000])
def test_batch_publishes_one_nudge(
    size: int, store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.seed(everyone(size))
    published: list[Any] = []
    publish = "publish_within"
    monkeypatch.setattr(functions.publisher, publish, lambda nudge, _: published.append(nudge))

    functions.handle(*(about("device.failed", n) for n in range(size)))

    assert [one.routing_key for one in published] == [NOTIFICATION_QUEUE]


def test_longest_texts_of_a_full_batch_fit_into_one_statement_each(
    store: Store, functions: Functions
) -> None:
    store.seed(everyone(1000))
    long = {"reason": "设" * 300}

    statements = cost(functions, [about("device.failed", n, **long) for n in range(1000)])

    assert (statements.selects, statements.writes) == COSTS["device.failed"]
