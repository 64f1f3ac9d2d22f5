"""What users choose: channels, and quiet hours on their own clocks."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.notices import Channel, NoticeKind
from scheduler.notification.preferences import QuietHours, channels

CRITICAL = {NoticeKind.ACCOUNT_SUSPENDED, NoticeKind.OVERDUE, NoticeKind.SERVICE_SUSPENDED}
ALL_OFF = {kind.type: dict.fromkeys(map(str, Channel), False) for kind in NoticeKind}

NIGHT = QuietHours(time(22), time(7), "Asia/Shanghai")
SIESTA = QuietHours(time(13), time(15), "Asia/Shanghai")


# -- channels ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NoticeKind)
def test_without_choices_the_default_channels_are_used(kind: NoticeKind) -> None:
    assert channels(kind, {}) == kind.channels


@pytest.mark.parametrize("kind", NoticeKind)
def test_only_account_critical_notices_are_sent_if_everything_is_off(kind: NoticeKind) -> None:
    assert channels(kind, ALL_OFF) == (kind.channels if kind in CRITICAL else ())


def test_channel_can_be_added() -> None:
    choices = {"device_released": {"email": True}}

    assert channels(NoticeKind.DEVICE_RELEASED, choices) == (Channel.WEBSOCKET, Channel.EMAIL)


def test_choices_for_one_type_do_not_affect_others() -> None:
    choices = {"billing_alert": {"email": False}}

    assert channels(NoticeKind.BALANCE_LOW, choices) == (Channel.WEBSOCKET,)
    assert channels(NoticeKind.QUOTA_UPDATED, choices) == NoticeKind.QUOTA_UPDATED.channels


def test_overdue_alert_uses_all_channels_even_if_billing_alerts_are_off() -> None:
    choices = {"billing_alert": dict.fromkeys(map(str, Channel), False)}

    assert channels(NoticeKind.OVERDUE, choices) == tuple(Channel)


# -- quiet hours ---------------------------------------------------------------------


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2026-03-01T13:59", None),  # 21:59 in Shanghai
        (NIGHT, "2026-03-01T14:00", "2026-03-01T23:00"),
        (NIGHT, "2026-03-01T22:59", "2026-03-01T23:00"),
        (NIGHT, "2026-03-01T23:00", None),
        (NIGHT, "2026-12-31T16:30", "2026-12-31T23:00"),  # 00:30 on New Year's Day in Shanghai
        (SIESTA, "2026-03-01T04:59", None),
        (SIESTA, "2026-03-01T05:00", "2026-03-01T07:00"),
        (SIESTA, "2026-03-01T07:00", None),
    ],
)
def test_quiet_hours_follow_the_users_time_zone(
    hours: QuietHours, now: str, end: str | None
) -> None:
    assert hours.end_after(utc(now)) == (utc(end) if end else None)


def test_when_clocks_are_set_forward_the_end_comes_an_hour_earlier() -> None:
    night = QuietHours(time(22), time(7), "Europe/Berlin")

    assert night.end_after(utc("2026-03-28T23:00")) == utc("2026-03-29T05:00")


def test_in_the_second_of_two_equal_hours_the_end_is_in_the_second_too() -> None:
    night = QuietHours(time(22), time(2, 45), "Europe/Berlin")

    second_half_past_two = utc("2026-10-25T01:30")

    assert night.end_after(second_half_past_two) == utc("2026-10-25T01:45")


@pytest.mark.parametrize(
    ("end", "zone", "now", "until"),
    [
        (time(2, 0), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
        (time(2, 30), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
        (time(2, 59), "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T01:00"),
        (time(3, 0), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
        (time(3, 1), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:01"),
        (time(2, 30), "America/New_York", "2026-03-08T06:00", "2026-03-08T07:00"),
        (time(2, 10), "Australia/Lord_Howe", "2026-10-03T15:00", "2026-10-03T15:30"),
    ],
)
def test_quiet_hours_that_end_inside_the_skipped_hour_end_at_its_end(
    end: time, zone: str, now: str, until: str
) -> None:
    assert QuietHours(time(22), end, zone).end_after(utc(now)) == utc(until)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Asia", "../Asia", ""])
def test_unknown_time_zone_means_no_quiet_hours(zone: str) -> None:
    assert QuietHours(time(0), time(23, 59), zone).end_after(utc("2026-03-01")) is None


@given(
    st.times(),
    st.times(),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone comes from `timezones`
)
def test_quiet_hours_end_in_the_future_and_within_a_day(
    start: time, end: time, zone: str, now: datetime
) -> None:
    until = QuietHours(start, end, zone).end_after(now)

    assert until is None or 0 < (until - now).total_seconds() <= 25 * 3600
