"""Every text in both languages: complete, with equal placeholders, rendered from real notices."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.model import DEFAULT_LOCALE, LOCALES
from scheduler.domain.notices import Notice, NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.work import Work
from scheduler.notification import catalogue
from scheduler.notification.render import RenderedNotice, render
from tests.support.deciding import QUOTA, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, device, held, user, world

TEXTS: dict[str, dict[str, Any]] = {
    locale: json.loads((catalogue._FOLDER / f"{locale}.json").read_text("utf-8"))
    for locale in LOCALES
}
DELETED = ReleaseReason.device_deleted()
KINDS = [kind.key for kind in NoticeKind]

# As specified; the product has more kinds than these.
CHANNELS = {
    "device_released": ["websocket"],
    "allocation_success": ["websocket"],
    "account_suspended": ["websocket", "email"],
    "quota_adjusted.updated": ["websocket", "email"],
    "quota_adjusted.exceeded": ["websocket", "email"],
    "billing_alert.payment_failed": ["websocket", "email"],
    "billing_alert.balance_low": ["websocket", "email"],
    "billing_alert.overdue": ["websocket", "email", "sms"],
    "billing_alert.payment_success": ["websocket"],
    "billing_alert.recharged": ["websocket"],
    "service_suspended": ["websocket", "email", "sms"],
}


def flat(texts: dict[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in texts.items():
        name = f"{path}/{key}"
        found |= flat(value, name) if isinstance(value, dict) else {name: value}
    return found


def placeholders(template: str) -> set[tuple[str, str]]:
    parsed = Formatter().parse(template)
    return {(name, spec or "") for _, name, spec, _ in parsed if name is not None}


def every_notice(locale: str) -> dict[NoticeKind, Notice]:
    """Return a notice of every kind that events and an allocation cause."""
    on = world(user(locale=locale), held("d1"), held("d2"), device("d3"))
    failures = [message("billing.payment_failed") for _ in range(3)]
    work = run(message("user.suspended"), *failures, on=on).work
    billing = run(
        *(message(name) for name in ("billing.balance_low", "billing.overdue")),
        *(message(name) for name in ("billing.payment_success", "billing.recharged")),
        on=world(user(locale=locale)),
    ).work
    quota = run(
        message("user.quota_updated", newQuota={"maxDevices": 1}),
        message("user.quota_exceeded", limit=0),
        on=on,
    ).work
    allocating = Work(on, NOW, QUOTA)
    allocating.allocate("a-new", "u1", device("d3"), NOW + 60 * MINUTE)
    works = (work, billing, quota, allocating)
    return {notice.kind: notice for one in works for notice in one.notices.values()}


def test_both_languages_have_the_same_texts() -> None:
    zh, en = (flat(TEXTS[locale]) for locale in LOCALES)

    assert zh.keys() == en.keys()


@pytest.mark.parametrize("key", flat(TEXTS[DEFAULT_LOCALE]))
def test_both_languages_use_the_same_placeholders(key: str) -> None:
    zh, en = (placeholders(flat(TEXTS[locale])[key]) for locale in LOCALES)

    if not key.startswith(("/duration", "/list")):
        assert zh == en


@pytest.mark.parametrize("locale", LOCALES)
def test_every_kind_has_a_text_and_every_text_a_kind(locale: str) -> None:
    assert sorted(TEXTS[locale]["notice"]) == sorted(KINDS)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_caused_notice_renders_without_placeholders(locale: str) -> None:
    for notice in every_notice(locale).values():
        rendered = render(notice, locale)
        assert rendered.title
        assert len(rendered.title) <= 200
        assert "{" not in rendered.title + rendered.message
        assert json.loads(rendered.data)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_reason_has_a_text(locale: str) -> None:
    reasons = [name for name in vars(ReleaseReason) if name in TEXTS[locale]["reason"]]

    assert {*reasons, "device_maintenance_estimated"} == set(TEXTS[locale]["reason"])


def test_unknown_locale_falls_back_to_chinese() -> None:
    assert catalogue.reason_text(ReleaseReason.device_deleted(), "fr") == "设备已删除"


def test_default_channels_of_each_kind() -> None:
    channels = {kind.key: [str(channel) for channel in kind.channels] for kind in NoticeKind}

    assert channels.items() >= CHANNELS.items()


@pytest.mark.parametrize("locale", LOCALES)
def test_every_specified_kind_is_caused_by_an_event_or_an_allocation(locale: str) -> None:
    assert {notice.key for notice in every_notice(locale)} == set(CHANNELS)


# -- values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("100", "¥100"),
        ("100.00", "¥100"),
        ("150.5", "¥150.50"),
        ("150.50", "¥150.50"),
        ("0", "¥0"),
        ("-0", "¥0"),
        ("0.004", "¥0"),
        ("0.01", "¥0.01"),
        ("-3.5", "-¥3.50"),
        ("-100", "-¥100"),
        ("1E+3", "¥1000"),
        ("1000000000000", "¥1000000000000"),
        ("999999999999.99", "¥999999999999.99"),
        ("1.005", "¥1"),
        ("99.999", "¥100"),
    ],
)
def test_money_has_decimals_unless_it_is_whole(amount: str, text: str) -> None:
    assert catalogue.money(Decimal(amount)) == text


@given(st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False))
def test_every_valid_amount_can_be_formatted(amount: Decimal) -> None:
    assert "¥" in catalogue.money(amount)


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "0秒", "0 s"),
        (59, "59秒", "59 s"),
        (60, "1分钟", "1 min"),
        (3_599, "59分钟", "59 min"),
        (3_600, "1小时0分钟", "1 h 0 min"),
        (90_061, "25小时1分钟", "25 h 1 min"),
    ],
)
def test_durations_are_formatted_in_their_largest_units(seconds: int, zh: str, en: str) -> None:
    for locale, text in ((DEFAULT_LOCALE, zh), ("en", en)):
        assert released(seconds, locale).message.count(text) == 1


def test_times_are_formatted_in_utc() -> None:
    at = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    notice = Notice("u1", NoticeKind.ALLOCATION_SUCCESS, "k", {"device": "d1", "expires_at": at})

    assert render(notice, "en").message == "Device d1 is yours until 2026-03-01 09:05 UTC."


def test_braces_in_a_parameter_are_not_interpreted() -> None:
    tricky = "{used} {0} {device.__class__} %s"
    reason = ReleaseReason.device_failed(tricky)

    assert tricky in catalogue.reason_text(reason)
    assert tricky in released(1, "en", reason=reason).message


def released(used: int, locale: str, reason: ReleaseReason = DELETED) -> RenderedNotice:
    params = {"allocation": held("d1"), "device": "d1", "reason": reason, "used": used}
    return render(Notice("u1", NoticeKind.DEVICE_RELEASED, "k", params), locale)


# -- data for programs -----------------------------------------------------------------


def test_data_of_a_release_has_allocation_device_reason_and_duration() -> None:
    assert json.loads(released(61, "en").data) == {
        "allocationId": "allocation-of-d1",
        "deviceId": "d1",
        "device": "d1",
        "reasonCode": "device_deleted",
        "reason": "Device deleted",
        "used": 61,
    }


def test_amounts_in_data_are_numbers() -> None:
    (notice,) = run(message("billing.overdue")).work.notices.values()

    assert json.loads(render(notice, "en").data) == {"amount": 150.5, "days": 7}
