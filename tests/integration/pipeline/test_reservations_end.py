"""Reservations end with the account of their user, who is told of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.housekeeping.conftest import add_reservation
from tests.support.events import message
from tests.support.world import MINUTE, NOW, user, world

if TYPE_CHECKING:
    from tests.support.functions import Functions
    from tests.support.store import Store


@pytest.mark.parametrize("event", ["user.suspended", "user.deleted"])
def test_reservations_end_with_the_account(store: Store, functions: Functions, event: str) -> None:
    store.seed(world(user("u1"), user("u2")))
    for user_id in ("u1", "u1", "u2"):
        add_reservation(store, user_id, at=NOW + 60 * MINUTE)

    functions.handle(message(event, userId="u1"))

    assert store.rows("SELECT user_id, status FROM reservations ORDER BY user_id") == [
        ("u1", "FAILED"),
        ("u1", "FAILED"),
        ("u2", "RESERVED"),
    ]
    told = store.rows("SELECT user_id FROM notifications WHERE type = 'reservation_failed'")
    assert told == (2 * [("u1",)] if event == "user.suspended" else [])


def test_reservations_survive_a_billing_hold(store: Store, functions: Functions) -> None:
    store.seed(world(user("u1")))
    add_reservation(store, "u1", at=NOW + 60 * MINUTE)

    functions.handle(message("billing.overdue", userId="u1"))

    assert store.rows("SELECT status FROM reservations") == [("RESERVED",)]
