"""Hours of rest on the user's own clocks."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.notification.quiet_hours import QuietHours

NIGHT = QuietHours(time(22), time(7), "Asia/Shanghai")
SIESTA = QuietHours(time(13), time(15), "Asia/Shanghai")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2026-03-01T13:59", None),  # 21:59 in Shanghai
        (NIGHT, "2026-03-01T14:00", "2026-03-01T23:00"),
        (NIGHT, "2026-03-01T22:59", "2026-03-01T23:00"),
        (NIGHT, "2026-03-01T23:00", None),
        (NIGHT, "2026-12-31T16:30", "2026-12-31T23:00"),  # half past midnight, new year
        (SIESTA, "2026-03-01T04:59", None),
        (SIESTA, "2026-03-01T05:00", "2026-03-01T07:00"),
        (SIESTA, "2026-03-01T07:00", None),
    ],
)
def test_quiet_hours_are_those_of_the_users_zone(
    hours: QuietHours, now: str, end: str | None
) -> None:
    assert hours.end_after(utc(now)) == (utc(end) if end else None)


def test_when_clocks_are_set_forward_the_morning_comes_earlier() -> None:
    night = QuietHours(time(22), time(7), "Europe/Berlin")

    assert night.end_after(utc("2026-03-28T23:00")) == utc("2026-03-29T05:00")


def test_when_clocks_are_set_back_the_second_of_two_equal_hours_counts() -> None:
    night = QuietHours(time(22), time(2, 45), "Europe/Berlin")

    second_half_past_two = utc("2026-10-25T01:30")

    assert night.end_after(second_half_past_two) == utc("2026-10-25T01:45")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Asia", "../Asia", ""])
def test_a_zone_that_no_longer_exists_holds_nothing_back(zone: str) -> None:
    assert QuietHours(time(0), time(23, 59), zone).end_after(utc("2026-03-01")) is None


@given(
    st.times(),
    st.times(),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_quiet_hours_always_end_in_the_future_and_within_a_day(
    start: time, end: time, zone: str, now: datetime
) -> None:
    until = QuietHours(start, end, zone).end_after(now)

    assert until is None or 0 < (until - now).total_seconds() <= 25 * 3600
