"""How money, times, durations and words appear in texts."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.model import LOCALES, Health
from scheduler.notification import formats
from scheduler.notification.catalogue import _texts

ZH, EN = (_texts(locale) for locale in LOCALES)
AT = datetime(2026, 1, 31, 20, 5, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("100", "¥100"),
        ("100.00", "¥100"),
        ("150.5", "¥150.50"),
        ("1234.5", "¥1,234.50"),
        ("0", "¥0"),
        ("-0", "¥0"),
        ("0.004", "¥0"),
        ("-0.004", "¥0"),
        ("0.01", "¥0.01"),
        ("-3.5", "-¥3.50"),
        ("-1000", "-¥1,000"),
        ("1E+3", "¥1,000"),
        ("1000000000000", "¥1,000,000,000,000"),
        ("999999999999.99", "¥999,999,999,999.99"),
        ("1.005", "¥1"),
        ("99.999", "¥100"),
    ],
)
def test_money_has_separators_and_decimals_unless_it_is_whole(amount: str, text: str) -> None:
    assert formats.money(Decimal(amount), {}) == text
    assert formats.money(amount, {}) == text


@given(st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False))
def test_every_valid_amount_can_be_formatted(amount: Decimal) -> None:
    assert "¥" in formats.money(amount, {})


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "不足 1 秒", "less than a second"),
        (1, "1 秒", "1 second"),
        (59, "59 秒", "59 seconds"),
        (60, "1 分钟", "1 minute"),
        (61, "1 分钟 1 秒", "1 minute 1 second"),
        (3_599, "59 分钟 59 秒", "59 minutes 59 seconds"),
        (3_600, "1 小时", "1 hour"),
        (7_200, "2 小时", "2 hours"),
        (9_059, "2 小时 30 分钟", "2 hours 30 minutes"),
        (86_400, "1 天", "1 day"),
        (86_460, "1 天", "1 day"),
        (90_061, "1 天 1 小时", "1 day 1 hour"),
        (90_000_000, "1,041 天 16 小时", "1,041 days 16 hours"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: int, zh: str, en: str) -> None:
    assert formats.duration(seconds, ZH["duration"]) == zh
    assert formats.duration(seconds, EN["duration"]) == en


@pytest.mark.parametrize(
    ("zone", "zh", "en"),
    [
        (None, "2026年2月1日 04:05", "31 January 2026, 20:05 (UTC)"),
        ("Asia/Shanghai", "2026年2月1日 04:05", "1 February 2026, 04:05 (UTC+8)"),
        ("Asia/Hong_Kong", "2026年2月1日 04:05", "1 February 2026, 04:05 (UTC+8)"),
        ("Asia/Kolkata", "2026年2月1日 01:35（UTC+5:30）", "1 February 2026, 01:35 (UTC+5:30)"),
        (
            "America/St_Johns",
            "2026年1月31日 16:35（UTC-3:30）",
            "31 January 2026, 16:35 (UTC-3:30)",
        ),
        ("UTC", "2026年1月31日 20:05（UTC）", "31 January 2026, 20:05 (UTC)"),
        ("Nowhere/Removed", "2026年2月1日 04:05", "31 January 2026, 20:05 (UTC)"),
        ("../etc/passwd", "2026年2月1日 04:05", "31 January 2026, 20:05 (UTC)"),
    ],
)
def test_a_time_is_shown_in_the_users_zone(zone: str | None, zh: str, en: str) -> None:
    assert formats.moment(AT, ZH["time"], zone) == zh
    assert formats.moment(AT, EN["time"], zone) == en


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from(sorted(available_timezones())),
)
def test_every_time_is_shown_in_every_zone(at: datetime, zone: str) -> None:
    assert f"{at.astimezone(ZoneInfo(zone)):%H:%M}" in formats.moment(at, EN["time"], zone)


@pytest.mark.parametrize(
    ("given_", "zh", "en"),
    [
        ("System-Upgrade", "系统升级", "system upgrade"),
        ("system_upgrade", "系统升级", "system upgrade"),
        ("系统升级", "系统升级", "system upgrade"),
        ("disk swap", "disk swap", "disk swap"),
        ("", "未说明", "not specified"),
    ],
)
def test_words_are_translated_in_any_spelling(given_: str, zh: str, en: str) -> None:
    assert formats.word(given_, ZH["maintenance"]) == zh
    assert formats.word(given_, EN["maintenance"]) == en


def test_every_state_of_a_device_has_a_word() -> None:

    assert set(Health) <= set(ZH["state"])


def test_names_after_the_tenth_are_counted() -> None:
    names = [f"d{n}" for n in range(12)]

    assert formats.names(names, EN["names"]).endswith("d9 and 2 more")
    assert formats.names(names, ZH["names"]).endswith("d9 等")
    assert formats.names(names[:10], EN["names"]).endswith("d9")
