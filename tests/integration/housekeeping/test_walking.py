"""A run walks through a bounded number of rows; the next run continues, and no row is left out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from housekeeping import walking
from scheduler.database import findings, walks
from tests.integration.housekeeping.conftest import add_bare_notification
from tests.support.together import together
from tests.support.world import MINUTE, NOW, device, held, user, world

if TYPE_CHECKING:
    from scheduler.database.walks import Part
    from tests.integration.housekeeping.conftest import Housekeeping
    from tests.support.store import Store

DEVICES = 23
PER_RUN = 10


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run take five parts of two rows."""
    monkeypatch.setattr(walking, "ROWS_PER_PART", 2)


def take(store: Store, rows: int) -> Part:
    return store.database.run(partial(walks.take, walk=findings.DEVICES, rows=rows))


def test_the_next_run_continues_until_every_device_was_seen(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(device(f"d{n:02}", status="allocated") for n in range(DEVICES))))

    corrected = [housekeeping.run("reconcile-devices") for _ in range(4)]

    assert corrected == [PER_RUN, PER_RUN, DEVICES - 2 * PER_RUN, 0]


def test_allocations_are_released_however_many_runs_it_takes(
    store: Store, housekeeping: Housekeeping
) -> None:
    blocked = [user(f"u{n}", billing_hold=True) for n in range(DEVICES)]
    store.seed(world(*blocked, *(held(f"d{n}", by=f"u{n}") for n in range(DEVICES))))

    released = [housekeeping.run("reconcile-users") for _ in range(3)]

    assert released == [PER_RUN, PER_RUN, DEVICES - 2 * PER_RUN]


def test_a_part_whose_run_died_is_left_for_the_next_pass(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(device(f"d{n:02}", status="allocated") for n in range(4))))
    take(store, 2)  # and die

    corrected = [housekeeping.run("reconcile-devices") for _ in range(2)]

    assert corrected == [2, 2]


def test_notifications_of_one_time_are_not_separated(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1")))
    for n in range(5):
        add_bare_notification(store, f"n{n}")

    assert housekeeping.run("reconcile-notifications") == 5


def test_a_position_before_the_start_is_not_used(store: Store) -> None:
    store.seed(world(*(device(f"d{n}") for n in range(5))))
    take(store, 1)

    part = store.database.run(partial(walks.take, walk=findings.DEVICES, rows=9, start="d2"))

    assert (part.after, part.until, part.is_last) == ("d2", "d4", True)


def test_runs_at_the_same_time_take_different_parts(store: Store, database_url: str) -> None:
    store.seed(world(*(device(f"d{n:02}") for n in range(12))))
    taken: list[str] = []
    stores = [type(store)(database_url) for _ in range(3)]

    together(
        *(lambda one=one: taken.extend(take(one, 2).until for _ in range(2)) for one in stores)
    )

    assert sorted(taken) == [f"d{n:02}" for n in range(1, 12, 2)]
    for one in stores:
        one.database.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.sets(st.text("ab-Ä设", min_size=1, max_size=3), max_size=9), rows=st.integers(1, 4))
def test_each_pass_takes_every_key_once(store: Store, ids: set[str], rows: int) -> None:
    store.clear()
    store.seed(world(*map(device, ids)))

    for _ in range(2):
        seen: list[str] = []
        is_last = False
        while not is_last:
            part = take(store, rows)
            query = f"SELECT id FROM devices WHERE id > '{part.after}' AND id <= '{part.until}'"  # noqa: S608 - ids of the test
            seen += [id_ for (id_,) in store.rows(query)]
            is_last = part.is_last
        assert sorted(seen) == sorted(ids)


def test_an_old_position_is_not_used_again(store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(user("u1")))
    store.insert(
        "housekeeping_walks", "name, position", [(findings.NOTIFICATIONS.name, "2020-01-01")]
    )
    add_bare_notification(store, created_at="2020-06-01")
    add_bare_notification(store, "n2")

    assert housekeeping.after(MINUTE).run("reconcile-notifications") == 1
    assert housekeeping.now == NOW + MINUTE
