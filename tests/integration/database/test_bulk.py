"""Values arrive in the database as they were passed to a statement."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.domain.model import Health
from tests.support.store import Store

DANGEROUS = st.text("'\"\\%\0\n\r\x1a_-;", max_size=8)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | DANGEROUS
VALUES = TEXTS | st.none() | st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=30))
def test_any_value_is_returned_as_it_was_sent(store: Store, values: list[object]) -> None:
    placeholders = ", ".join(["%s"] * len(values))

    assert store.rows(f"SELECT {placeholders}", *values) == [tuple(values)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=30))
def test_any_text_is_found_in_a_list(store: Store, texts: list[str]) -> None:
    assert store.rows("SELECT BINARY %s IN %s", texts[-1], tuple(texts)) == [(1,)]


def test_times_enums_decimals_and_lists_are_formatted(store: Store) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    sent = (
        moment,
        moment.astimezone(ZoneInfo("Asia/Shanghai")),
        Health.FAILED,
        True,
        Decimal("1.50"),
        ["a", "b"],
    )

    found = store.rows("SELECT %s, %s, %s, %s, %s, 'b' IN %s", *sent)

    text = "2026-03-01 12:00:00.000005"
    assert found == [(text, text, "failed", 1, Decimal("1.50"), 1)]


def test_a_time_is_returned_aware_and_in_utc(store: Store) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)

    ((found,),) = store.rows("SELECT CAST(%s AS DATETIME(6))", moment)

    assert (found, found.tzinfo) == (moment, UTC)


def test_a_naive_time_is_refused_before_it_is_sent(store: Store) -> None:
    with pytest.raises(TypeError, match="naive"):
        store.rows("SELECT %s", datetime(2026, 3, 1))  # noqa: DTZ001 - naive on purpose
