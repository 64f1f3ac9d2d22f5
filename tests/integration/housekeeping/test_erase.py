"""Erasure of deleted users: nothing but ids and times is left, however it is interrupted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database import erasures
from tests.support.counter import FakeCounter
from tests.support.events import message
from tests.support.explaining import explain
from tests.support.functions import OUTSIDE, Functions
from tests.support.world import MINUTE, NOW, held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from tests.integration.housekeeping.conftest import Housekeeping
    from tests.support.store import Store

PRIVATE: Final = "what-u1-told-us"
JOB: Final = "erase-deleted-users"
TABLE: Final = OUTSIDE["PAYMENT_FAILURES_TABLE"]
TEXT_COLUMNS: Final = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND data_type IN ('varchar', 'char', 'text', 'longtext')
"""


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def functions(database_url: str, counter: FakeCounter) -> Iterator[Functions]:
    with Functions(database_url, counter=counter) as made:
        yield made


@pytest.fixture
def stored(store: Store, functions: Functions, dynamodb: DynamoDBClient) -> Store:
    """A user who has left a trace wherever one can be left, and another user."""
    store.seed(world(held("d1"), held("d2", by="u2"), user("u1"), user("u2")))
    functions.handle(message("user.suspended", userId="u1", reason=PRIVATE))
    functions.handle(message("user.suspended", userId="u2", reason="of u2"))
    store.run(
        f"UPDATE users SET email = '{PRIVATE}@example.com', phone = '{PRIVATE}',"  # noqa: S608 - a constant
        f" time_zone = '{PRIVATE}' WHERE id = 'u1'",
        "UPDATE notification_deliveries d JOIN notifications n ON n.id = d.notification_id"  # noqa: S608 - as above
        f" SET d.status = 'sent', d.provider_message_id = '{PRIVATE}', d.last_error = '{PRIVATE}'"
        " WHERE n.user_id = 'u1' AND d.channel = 'email'",
        f"UPDATE processed_messages SET detail = '{PRIVATE}' WHERE subject_id = 'u1'",  # noqa: S608 - as above
        f"INSERT INTO notification_preferences SET user_id = 'u1', channels = '{{}}',"
        f" time_zone = '{PRIVATE}'",
        "INSERT INTO letter_actions SET queue = 'q', message_id = 'm', action = 'edited',"
        f" new_id = '{PRIVATE}', caller = 'c', acted_at = NOW(6), aggregate = 'user',"
        " subject_id = 'u1'",
        f"INSERT INTO idempotency_keys SET user_id = 'u1', idempotency_key = '{PRIVATE}',"
        " request_sha256 = REPEAT('x', 32), allocation_id = 'a1', created_at = NOW(6)",
    )
    item = {"user_id": {"S": "u1"}, "expires_at": {"N": "9999999999"}}
    dynamodb.put_item(TableName=TABLE, Item=item)
    return store


def places_with(store: Store, text: str) -> list[tuple[str, str]]:
    """Return the columns of all tables in which a text occurs."""
    return [
        (table, column)
        for table, column in store.rows(TEXT_COLUMNS)
        if store.rows(f"SELECT 1 FROM {table} WHERE LOCATE(%s, {column})", text)  # noqa: S608 - of the schema
    ]


def erasure(store: Store) -> list[tuple[str, bool]]:
    return store.rows("SELECT user_id, finished_at IS NOT NULL FROM erasures ORDER BY user_id")


def test_no_personal_data_or_text_of_the_user_is_left(
    stored: Store, functions: Functions, housekeeping: Housekeeping, dynamodb: DynamoDBClient
) -> None:
    others = stored.rows("SELECT title, message, data FROM notifications WHERE user_id = 'u2'")
    assert len(places_with(stored, PRIVATE)) >= 8

    functions.handle(message("user.deleted", userId="u1"))
    housekeeping.after(timedelta(seconds=91)).run(JOB)

    assert places_with(stored, PRIVATE) == []
    texts = "SELECT DISTINCT title, message, data FROM notifications WHERE user_id = "
    assert stored.rows(f"{texts} 'u1'") == [("", "", "{}")]
    assert stored.rows(f"{texts} 'u2'") == others
    assert "Item" not in dynamodb.get_item(TableName=TABLE, Key={"user_id": {"S": "u1"}})
    assert erasure(stored) == [("u1", True)]
    about = "SELECT DISTINCT subject_id FROM processed_messages WHERE aggregate = 'user'"
    assert stored.rows(about) == [("u2",)]
    codes = "SELECT user_id, release_code, release_reason IS NULL FROM allocations ORDER BY 1"
    assert stored.rows(codes) == [("u1", "user_suspended", 1), ("u2", "user_suspended", 0)]


def test_erasure_is_repeated_until_everything_in_progress_has_ended(
    stored: Store, functions: Functions, housekeeping: Housekeeping
) -> None:
    functions.handle(message("user.deleted", userId="u1"))
    housekeeping.run(JOB)
    assert erasure(stored) == [("u1", False)]
    late = "user_id = 'u1', idempotency_key = 'late', request_sha256 = REPEAT('x', 32)"
    stored.run(f"INSERT INTO idempotency_keys SET {late}, allocation_id = 'a', created_at = NOW()")

    housekeeping.after(timedelta(seconds=91)).run(JOB)

    assert stored.rows("SELECT * FROM idempotency_keys") == []
    assert erasure(stored) == [("u1", True)]
    assert housekeeping.run(JOB) == 0


@pytest.mark.usefixtures("stored")
def test_later_events_leave_nothing(
    functions: Functions, housekeeping: Housekeeping, store: Store, counter: FakeCounter
) -> None:
    functions.handle(message("user.deleted", userId="u1"))
    housekeeping.after(timedelta(seconds=91)).run(JOB)

    for event in ("user.suspended", "billing.payment_failed", "billing.balance_low"):
        late = message(event, userId="u1", reason=PRIVATE, at=NOW + MINUTE)
        assert functions.handle(late) == {"outdated": 1}

    assert places_with(store, PRIVATE) == []
    assert counter.current("u1", NOW) == 0


@pytest.mark.usefixtures("stored")
def test_later_messages_without_effect_leave_nothing(
    functions: Functions, housekeeping: Housekeeping, store: Store
) -> None:
    messages = [message("user.deleted", userId="u1"), message("user.suspended", userId="u2")]
    for one in messages:
        functions.handle(one)
    housekeeping.after(timedelta(seconds=91)).run(JOB)

    for one in messages:
        assert functions.handle(one) == {"duplicate": 1}

    assert store.rows("SELECT subject_id FROM unapplied_messages") == [("u2",)]


def test_erasure_of_many_rows_continues_after_every_stop(
    stored: Store,
    functions: Functions,
    housekeeping: Housekeeping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasures, "ROWS_PER_TRANSACTION", 10)
    rows = "FROM seq_1_to_25"
    stored.run(
        "INSERT INTO notifications"
        " (id, user_id, type, title, message, data, dedupe_key, created_at)"
        f" SELECT CONCAT('n-', seq), 'u1', 'x', '{PRIVATE}', 'm', '{{}}', seq, NOW(6) {rows}",
        "INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at,"
        " release_code, release_reason) SELECT CONCAT('a-', seq), 'u1', 'd', 'RELEASED', NOW(6),"
        f" NOW(6), 'device_failed', '{PRIVATE}' {rows}",
        "INSERT INTO idempotency_keys (user_id, idempotency_key, request_sha256, allocation_id,"
        f" created_at) SELECT 'u1', seq, REPEAT('x', 32), 'a', NOW(6) {rows}",
    )
    functions.handle(message("user.deleted", userId="u1"))

    steps = 0
    for stop in range(20):  # each run is killed after one step more
        for _ in zip(range(stop), erasures.erase(housekeeping.database, "u1"), strict=False):
            steps += 1

    assert steps > 20
    assert places_with(stored, PRIVATE) == []
    assert stored.rows("SELECT * FROM idempotency_keys") == []


def test_erasure_that_was_stopped_does_not_begin_again(
    store: Store,
    functions: Functions,
    housekeeping: Housekeeping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user with more notifications than a run can erase would never be finished, nor the next."""
    monkeypatch.setattr(erasures, "ROWS_PER_TRANSACTION", 10)
    store.run(
        "INSERT INTO notifications"
        " (id, user_id, type, title, message, data, dedupe_key, created_at)"
        " SELECT CONCAT('n-', seq), 'u1', 'x', 't', 'm', '{}', seq, NOW(6) FROM seq_1_to_25",
        "INSERT INTO notification_deliveries (notification_id, channel, status, user_id,"
        " next_attempt_at, provider_message_id, last_error)"
        " SELECT CONCAT('n-', seq), ELT(1 + seq % 3, 'email', 'sms', 'websocket'),"
        " ELT(1 + seq % 3, 'sent', 'failed', 'skipped'), 'u1', NOW(6),"
        " IF(seq % 3 = 0, 'provider', NULL), 'error' FROM seq_1_to_25",
    )
    functions.handle(message("user.deleted", userId="u1"))
    left = store.rows("SELECT COUNT(*) FROM notifications WHERE title <> ''")
    assert left == [(8,)]  # of those that were sent

    assert next(erasures.erase(housekeeping.database, "u1")) == 8
    assert sum(erasures.erase(housekeeping.database, "u1")) == 0

    assert store.rows("SELECT DISTINCT title, message, data FROM notifications") == [("", "", "{}")]
    errors = "SELECT DISTINCT status, provider_message_id, last_error FROM notification_deliveries"
    assert sorted(map(tuple, store.rows(errors))) == [
        ("failed", None, "user deleted"),
        ("sent", None, None),
        ("skipped", None, "user deleted"),
    ]


def test_deleted_user_without_a_requested_erasure_is_erased(
    stored: Store, functions: Functions, housekeeping: Housekeeping
) -> None:
    functions.handle(message("user.deleted", userId="u1"))
    stored.run("DELETE FROM erasures")

    housekeeping.run(JOB)
    housekeeping.after(timedelta(seconds=91)).run(JOB)

    assert places_with(stored, PRIVATE) == []
    assert erasure(stored) == [("u1", True)]


@pytest.mark.usefixtures("stored")
def test_every_statement_finds_the_rows_of_a_user_by_an_index(
    functions: Functions, housekeeping: Housekeeping
) -> None:
    functions.handle(message("user.deleted", userId="u1"))
    plans = explain(housekeeping.database)

    housekeeping.run(JOB)

    assert {(plan["table"], plan["key"]) for plan in plans if plan["table"]} == {
        ("housekeeping_walks", "PRIMARY"),
        ("users", "PRIMARY"),
        *(("u", "PRIMARY"), ("e", "PRIMARY")),  # users without an erasure
        ("erasures", "unfinished"),
        *(("n", "inbox"), ("d", "one_per_channel")),
        ("notifications", "PRIMARY"),
        ("notification_deliveries", "one_per_channel"),
        ("allocations", "by_user"),
        ("idempotency_keys", "PRIMARY"),
        ("processed_messages", "by_subject"),
        ("unapplied_messages", "by_subject"),
        ("letter_actions", "by_subject"),
        ("notification_preferences", "PRIMARY"),
    }


@pytest.mark.usefixtures("dynamodb")
def test_unavailable_dynamodb_delays_the_erasure(
    stored: Store,
    functions: Functions,
    housekeeping: Housekeeping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functions.handle(message("user.deleted", userId="u1"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(AssertionError, match="failed"):
        housekeeping.after(timedelta(seconds=91)).run(JOB)

    assert erasure(stored) == [("u1", False)]
    assert places_with(stored, PRIVATE) == []
