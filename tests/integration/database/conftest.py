"""Units of work on the database, with a record of their nudges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.domain.model import Quota
from scheduler.unit_of_work import UnitsOfWork
from tests.support.world import NOW

if TYPE_CHECKING:
    from scheduler.database.connection import Database
    from tests.support.store import Store

COMMITTED = "SELECT COUNT(*) AS notifications FROM notifications"


@pytest.fixture
def nudges() -> list[int]:
    """The number of committed notifications at each nudge."""
    return []


@pytest.fixture
def units(database: Database, store: Store, nudges: list[int]) -> UnitsOfWork:
    def nudge() -> None:
        ((committed,),) = store.rows(COMMITTED)
        nudges.append(committed)

    return UnitsOfWork(database, Quota(10), nudge, lambda: NOW)
