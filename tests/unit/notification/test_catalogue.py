"""Every text in both languages: complete, with equal placeholders, rendered from real notices."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from string import Formatter
from typing import Any, Final
from unicodedata import bidirectional

import pytest

from scheduler.domain.model import DEFAULT_LOCALE, LOCALES
from scheduler.domain.notices import Notice, NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.work import Work
from scheduler.notification import catalogue, formats
from scheduler.notification.render import RenderedNotice, render
from tests.support.deciding import QUOTA, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, device, held, user, world

TEXTS: dict[str, dict[str, Any]] = {
    locale: json.loads((catalogue._FOLDER / f"{locale}.json").read_text("utf-8"))
    for locale in LOCALES
}
PLURALS = ("/count", "/duration", "/names/more")
"""Each language has plural forms of its own."""
DELETED = ReleaseReason.device_deleted()
KINDS = [kind.key for kind in NoticeKind]

EXPLICIT_DIRECTIONS: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
DIRECTION_MARKS: Final = "\u061c\u200e\u200f"

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
    zh, en = (
        {key for key in flat(TEXTS[locale]) if not key.startswith(PLURALS)} for locale in LOCALES
    )

    assert zh == en


@pytest.mark.parametrize("locale", LOCALES)
def test_every_format_of_a_placeholder_exists(locale: str) -> None:
    known = {"", "time", *formats.FORMATS, *TEXTS[locale]["count"]}
    used = {spec for key in SENTENCES for _, spec in placeholders(flat(TEXTS[locale])[key])}

    assert used <= known


SENTENCES = [key for key in flat(TEXTS[DEFAULT_LOCALE]) if key.startswith(("/notice", "/reason"))]


@pytest.mark.parametrize("key", SENTENCES)
def test_both_languages_use_the_same_placeholders(key: str) -> None:
    zh, en = (placeholders(flat(TEXTS[locale])[key]) for locale in LOCALES)

    same = {"oldest_released", "released", "released_too"}
    assert {name for name, _ in zh} == {name for name, _ in en}
    assert {spec for _, spec in zh} - same == {spec for _, spec in en} - same


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
    ("given", "zh", "en"),
    [
        ("Screen is dark", "设备故障：Screen is dark。", "Device failure: Screen is dark."),
        ("Screen is dark.", "设备故障：Screen is dark。", "Device failure: Screen is dark."),
        ("屏幕不亮。", "设备故障：屏幕不亮。", "Device failure: 屏幕不亮."),
        ("Why me?", "设备故障：Why me?", "Device failure: Why me?"),
        ("cut …", "设备故障：cut …", "Device failure: cut …"),
        ("...", "设备故障：。", "Device failure: ."),
        ("", "设备故障：未说明。", "Device failure: not specified."),
    ],
)
def test_a_reason_is_followed_by_one_full_stop(given: str, zh: str, en: str) -> None:
    reason = ReleaseReason.device_failed(given)

    assert f"原因：{zh}使用" in released(61, "zh-CN", reason=reason).message
    assert f"Reason: {en} Time" in released(61, "en", reason=reason).message


def test_known_states_and_types_of_maintenance_are_translated() -> None:
    changed = ReleaseReason.device_status_changed("running", "rebooting")
    upgraded = ReleaseReason.device_maintenance("系统升级", 1)

    assert catalogue.reason_text(changed) == "设备状态变更：运行中 → rebooting"
    assert catalogue.reason_text(changed, "en") == "Device status changed: running → rebooting"
    assert catalogue.reason_text(upgraded) == "设备维护：系统升级，预计需要 1 分钟"
    english = "Device maintenance: system upgrade, expected to take 1 minute"
    assert catalogue.reason_text(upgraded, "en") == english


@pytest.mark.parametrize(
    ("count", "zh", "en"),
    [
        (0, "您的账户已暂停：x。", "Your account is suspended: x."),
        (
            1,
            "您的账户已暂停：x。已自动释放 1 台设备。",
            "Your account is suspended: x. Your device was released automatically.",
        ),
        (
            1_000,
            "您的账户已暂停：x。已自动释放 1,000 台设备。",
            "Your account is suspended: x. Your 1,000 devices were released automatically.",
        ),
    ],
)
def test_numbers_of_devices_are_written_in_the_plural(count: int, zh: str, en: str) -> None:
    params = {"reason": "x", "released": count}
    notice = Notice("u1", NoticeKind.ACCOUNT_SUSPENDED, "k", params)

    assert render(notice, "zh-CN").message == zh
    assert render(notice, "en").message == en


@pytest.mark.parametrize(
    ("days", "zh", "en"),
    [(0, "不足 1 天", "less than a day"), (1, "1天", "1 day"), (1_000, "1,000天", "1,000 days")],
)
def test_numbers_of_days_are_written_in_the_plural(days: int, zh: str, en: str) -> None:
    reason = ReleaseReason.billing_overdue(Decimal(5), days)

    assert catalogue.reason_text(reason) == f"账户欠费 ¥5（{zh}），服务已暂停"
    assert catalogue.reason_text(reason, "en") == f"Account overdue by ¥5 ({en}), service suspended"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_number_of_things_has_its_plural(locale: str) -> None:
    """A number without a format is of no thing: it has no plural, and no separators."""
    bare = {
        (key, name)
        for key in SENTENCES
        for name, spec in placeholders(flat(TEXTS[locale])[key])
        if not spec
    }

    numbers = {
        (key, name) for key, name in bare if name in {"count", "threshold", "days", "minutes"}
    }
    assert numbers == {("/notice/billing_alert.payment_failed/message", "threshold")}


def test_times_are_those_of_the_users_clocks() -> None:
    at = datetime(2026, 11, 26, 14, 50, tzinfo=UTC)
    notice = Notice("u1", NoticeKind.ALLOCATION_SUCCESS, "k", {"device": "d1", "expires_at": at})

    assert "可使用至 2026年11月26日 22:50。" in render(notice, "zh-CN").message
    assert "until 26 November 2026, 14:50 (UTC)." in render(notice, "en").message
    assert "14:50 (UTC+0" not in render(notice, "en", "America/New_York").message
    assert "09:50 (UTC-5)." in render(notice, "en", "America/New_York").message


def test_braces_in_a_parameter_are_not_interpreted() -> None:
    tricky = "{used} {0} {device.__class__} %s"
    reason = ReleaseReason.device_failed(tricky)

    assert tricky in catalogue.reason_text(reason)
    assert tricky in released(1, "en", reason=reason).message


def test_direction_controls_in_a_parameter_are_left_out() -> None:
    controls = [chr(n) for n in range(0x11_0000) if bidirectional(chr(n)) in EXPLICIT_DIRECTIONS]
    reversed_ = f"Alipay {''.join([*controls, *DIRECTION_MARKS])}00.1¥ emoji 👨\u200d👩"
    notice = Notice("u1", NoticeKind.ACCOUNT_SUSPENDED, "k", {"reason": reversed_, "released": 0})

    assert catalogue.reason_text(ReleaseReason.device_failed(reversed_), "en") == (
        "Device failure: Alipay 00.1¥ emoji 👨\u200d👩"
    )
    assert render(notice, "en").message == (
        "Your account is suspended: Alipay 00.1¥ emoji 👨\u200d👩."
    )


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
