"""Writes docs/texts.md: every text that users read, in both languages, with edge values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from local.paths import ROOT
from scheduler.domain.model import BROKEN, LOCALES, Allocation
from scheduler.domain.notices import Notice, NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.notification.catalogue import (
    TimelineSection,
    digest_text,
    reason_text,
    timeline_templates,
)
from scheduler.notification.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT: Final = datetime(2026, 11, 26, 14, 50, tzinfo=UTC)
_ALLOCATION: Final = Allocation("0193…", "user-123", "device-001", _AT)
_LONG: Final = "a stack trace of many lines " * 12

_REASONS: Final = (
    ReleaseReason.device_failed("Screen is dark"),
    ReleaseReason.device_failed("屏幕不亮。"),
    ReleaseReason.device_failed("Why?"),
    ReleaseReason.device_failed(""),
    ReleaseReason.device_deleted(),
    ReleaseReason.device_status_changed("running", "error"),
    ReleaseReason.device_status_changed("running", "rebooting"),
    ReleaseReason.device_maintenance("系统升级", None),
    ReleaseReason.device_maintenance("hardware", 1),
    ReleaseReason.device_maintenance("disk swap", 5_256_000),
    ReleaseReason.user_deleted(),
    ReleaseReason.user_suspended("违反服务条款"),
    ReleaseReason.quota_updated(0),
    ReleaseReason.quota_updated(1),
    ReleaseReason.quota_updated(1_000_000),
    ReleaseReason.quota_exceeded(),
    ReleaseReason.payment_failed(),
    ReleaseReason.billing_overdue(Decimal(0), 0),
    ReleaseReason.billing_overdue(Decimal("150.5"), 1),
    ReleaseReason.billing_overdue(Decimal(10) ** 12, 100_000),
    ReleaseReason.user_request(),
    ReleaseReason.allocation_expired(),
    *(ReleaseReason.device_broken(health) for health in sorted(BROKEN)),
    ReleaseReason.account_blocked(),
)


def _released(used: int, reason: ReleaseReason) -> dict[str, Any]:
    return {"allocation": _ALLOCATION, "device": "Phone 1", "reason": reason, "used": used}


def _digest(count: int, reason: ReleaseReason) -> dict[str, Any]:
    devices = [f"Phone {number}" for number in range(1, count + 1)]
    return {"count": count, "devices": devices, "reason": reason}


_LEASE: Final = {"allocation": _ALLOCATION, "device": "Phone 1", "expires_at": _AT}
_NOTICES: Final[dict[NoticeKind, tuple[dict[str, Any], ...]]] = {
    NoticeKind.DEVICE_RELEASED: (
        _released(0, ReleaseReason.device_deleted()),
        _released(1, ReleaseReason.device_failed("Screen is dark.")),
        _released(60, ReleaseReason.device_deleted()),
        _released(7_320, ReleaseReason.device_deleted()),
        _released(3_600, ReleaseReason.device_failed("屏幕不亮！")),
        _released(90_061, ReleaseReason.user_suspended("")),
        _released(31_622_400, ReleaseReason.device_failed(_LONG[:300])),
    ),
    NoticeKind.DEVICES_RELEASED: (
        _digest(6, ReleaseReason.user_suspended("违反服务条款")),
        _digest(11, ReleaseReason.payment_failed()),
    ),
    NoticeKind.ALLOCATION_SUCCESS: (_LEASE,),
    NoticeKind.ALLOCATION_EXPIRING_SOON: (_LEASE,),
    NoticeKind.ALLOCATION_EXPIRED: tuple(
        {"allocation": _ALLOCATION, "device": "Phone 1", "used": used} for used in (59, 86_400)
    ),
    NoticeKind.WAITING_EXPIRED: ({"expires_at": _AT},),
    NoticeKind.RESERVATION_FAILED_POOL: ({"starts_at": _AT},),
    NoticeKind.RESERVATION_FAILED_QUOTA: ({"starts_at": _AT},),
    NoticeKind.RESERVATION_FAILED_ACCOUNT: ({"starts_at": _AT},),
    NoticeKind.ACCOUNT_SUSPENDED: tuple(
        {"reason": reason, "released": released}
        for reason, released in (("违反服务条款", 0), ("Spam.", 1), ("", 1_000))
    ),
    NoticeKind.QUOTA_UPDATED: tuple(
        {"max_devices": devices, "released": released}
        for devices, released in ((0, 1), (1, 2), (1_000_000, 1_000))
    ),
    NoticeKind.QUOTA_EXCEEDED: tuple({"released": released} for released in (1, 2)),
    NoticeKind.PAYMENT_FAILED: tuple(
        {"amount": amount, "reason": reason, "count": count, "threshold": 3}
        for amount, reason, count in (
            (Decimal(100), "余额不足", 1),
            (Decimal("1234.5"), "Card declined.", 2),
        )
    ),
    NoticeKind.BALANCE_LOW: (
        {"balance": Decimal("8.5"), "threshold": Decimal(20)},
        {"balance": Decimal("-1234.5"), "threshold": Decimal(0)},
    ),
    NoticeKind.OVERDUE: (
        {"amount": Decimal("150.5"), "days": 1},
        {"amount": Decimal(10) ** 12, "days": 100_000},
    ),
    NoticeKind.PAYMENT_SUCCESS: ({"amount": Decimal(100), "balance": Decimal(250)},),
    NoticeKind.RECHARGED: ({"amount": Decimal("1234.5"), "balance": Decimal("-0.01")},),
    NoticeKind.SERVICE_SUSPENDED: tuple(
        {"count": count, "released": released} for count, released in ((1, 0), (3, 1), (3, 2))
    ),
}
_DIGESTS: Final = (2, 3, 1_000)
_FOLDER: Final = "layers/scheduler/scheduler/notification/texts"
_ZONES: Final = (None, "Asia/Shanghai", "America/New_York", "Asia/Kolkata", "UTC")

_HEAD: Final = f"""\
# The texts that users read

Generated by `make generate` from `{_FOLDER}/`: every text in
both languages, with ordinary values and with extreme ones. A test keeps this page up to date, so a
changed text shows in its diff.
"""


def page() -> str:
    """Return the page.

    Raises:
        KeyError: a kind of notification has no example; add one to `_NOTICES`.
    """
    sections = (
        ("Notifications", _table(_notices())),
        ("Digest of an hour", _table(_digests())),
        ("Reasons", _table(_reasons())),
        ("Words", _table(_words())),
        ("Times", _table(_times())),
        ("Timelines", _table(_timelines())),
    )
    return _HEAD + "".join(f"\n## {title}\n\n{table}" for title, table in sections)


def _notices() -> Iterator[tuple[str, ...]]:
    for kind in NoticeKind:
        for params in _NOTICES[kind]:
            texts = (render(Notice("user-123", kind, "", params), locale) for locale in LOCALES)
            yield (f"`{kind.key}`", *(f"**{text.title}** {text.message}" for text in texts))


def _digests() -> Iterator[tuple[str, ...]]:
    notice = Notice("user-123", NoticeKind.ALLOCATION_SUCCESS, "", _LEASE)
    newest = {locale: render(notice, locale) for locale in LOCALES}
    for count in _DIGESTS:
        texts = (
            digest_text(locale, title=one.title, message=one.message, count=count)
            for locale, one in newest.items()
        )
        yield (f"{count:,} notifications", *(f"**{one.title}** {one.message}" for one in texts))


def _words() -> Iterator[tuple[str, ...]]:
    """Show each word that another service may choose, in the reason that has it."""
    texts = json.loads((ROOT / _FOLDER / f"{LOCALES[0]}.json").read_text("utf-8"))
    for word in texts["state"]:
        reason = ReleaseReason.device_status_changed(word, "running")
        name = f"state `{word}`" if word else "no state"
        yield (name, *(reason_text(reason, locale) for locale in LOCALES))
    for word in texts["maintenance"]:
        reason = ReleaseReason.device_maintenance(word, None)
        name = f"maintenance `{word}`" if word else "no maintenance type"
        yield (name, *(reason_text(reason, locale) for locale in LOCALES))


def _reasons() -> Iterator[tuple[str, ...]]:
    for reason in _REASONS:
        yield (f"`{reason.code}`", *(reason_text(reason, locale) for locale in LOCALES))


def _times() -> Iterator[tuple[str, ...]]:
    notice = Notice("user-123", NoticeKind.ALLOCATION_SUCCESS, "", _LEASE)
    for zone in _ZONES:
        texts = (render(notice, locale, zone).message for locale in LOCALES)
        yield (f"`{zone}`" if zone else "no `timeZone`", *texts)


def _timelines() -> Iterator[tuple[str, ...]]:
    """Show the templates; those of the second section translate what functions have stored."""
    for section in TimelineSection:
        for key in timeline_templates(section, LOCALES[0]):
            yield (f"`{key}`", *(timeline_templates(section, one)[key] for one in LOCALES))


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    lines = [("", *LOCALES), ("---",) * (1 + len(LOCALES)), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
