"""Notes on messages that were not applied."""

from __future__ import annotations

from typing import NoReturn

import pytest

from scheduler.database import connection
from scheduler.database.connection import Database
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import settle
from scheduler.pipeline.unapplied import note_unapplied
from scheduler.settings import DatabaseSettings
from tests.support.events import message
from tests.support.world import NOW


def test_messages_parked_for_lack_of_a_database_cost_no_further_connection_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(*_: object) -> NoReturn:
        pytest.fail("a connection was attempted")

    monkeypatch.setattr(connection, "connect", connect)
    away = Database(DatabaseSettings.model_validate({"DATABASE_URL": "mysql://u@127.0.0.1:1/x"}))
    parked = settle(Outcome(message("device.failed"), Verdict.PARKED, error="parked"), 3)

    note_unapplied(away, [parked], NOW)
