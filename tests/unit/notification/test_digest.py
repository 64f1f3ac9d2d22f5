"""Many devices released by one event: a frame for each, one e-mail and SMS for all."""

import json

import pytest

from scheduler.domain.notices import Channel, NoticeKind
from scheduler.domain.state import Snapshot
from scheduler.notification.plan import PlannedNotice, plan
from scheduler.notification.render import render
from tests.support.deciding import Decided, run
from tests.support.events import message
from tests.support.world import held, user, world

ALL_CHANNELS = {"device_released": {"email": True, "sms": True}}


def holding(devices: int, **choices: dict[str, bool]) -> Snapshot:
    owner = user("u1", channel_choices=choices)
    return world(owner, *(held(f"d{n}") for n in range(devices)))


def planned(decided: Decided) -> list[PlannedNotice]:
    return list(plan(decided.work.notices.values(), decided.work.user))


def releases(plans: list[PlannedNotice]) -> list[PlannedNotice]:
    return [one for one in plans if one.notice.kind is NoticeKind.DEVICE_RELEASED]


def digests(plans: list[PlannedNotice]) -> list[PlannedNotice]:
    return [one for one in plans if one.notice.kind is NoticeKind.DEVICES_RELEASED]


def test_five_releases_get_no_digest() -> None:
    plans = planned(run(message("user.suspended"), on=holding(5, **ALL_CHANNELS)))

    assert [one.channels for one in releases(plans)] == [tuple(Channel)] * 5
    assert not digests(plans)


def test_six_releases_get_a_digest_on_email_and_sms() -> None:
    plans = planned(run(message("user.suspended"), on=holding(6, **ALL_CHANNELS)))

    assert [one.channels for one in releases(plans)] == [(Channel.WEBSOCKET,)] * 6
    assert [one.channels for one in digests(plans)] == [(Channel.EMAIL, Channel.SMS)]


def test_user_without_email_for_releases_gets_no_digest() -> None:
    plans = planned(run(message("user.suspended"), on=holding(6)))

    assert [one.channels for one in releases(plans)] == [(Channel.WEBSOCKET,)] * 6
    assert not digests(plans)


def test_other_notices_of_the_event_are_not_changed() -> None:
    plans = planned(run(message("user.suspended"), on=holding(6, **ALL_CHANNELS)))

    others = [one for one in plans if one.notice.kind is NoticeKind.ACCOUNT_SUSPENDED]
    assert [one.channels for one in others] == [(Channel.WEBSOCKET, Channel.EMAIL)]


def test_releases_by_several_events_get_no_digest() -> None:
    failures = [message("device.failed", deviceId=f"d{n}") for n in range(6)]

    plans = planned(run(*failures, on=holding(6, **ALL_CHANNELS)))

    assert len(releases(plans)) == 6
    assert not digests(plans)


def test_digest_of_a_replayed_event_has_the_same_key() -> None:
    keys = {
        digests(planned(run(message("user.suspended", id=id_), on=holding(6, **ALL_CHANNELS))))[
            0
        ].notice.dedupe_key
        for id_ in ("first", "replayed")
    }

    assert keys == {"device_released.digest:allocation-of-d0"}


@pytest.mark.parametrize(
    ("locale", "title", "message_"),
    [
        (
            "en",
            "6 devices released",
            "6 devices were released automatically: d0, d1, d2, d3, d4, d5.",
        ),
        ("zh-CN", "6 台设备已释放", "已自动释放 6 台设备：d0、d1、d2、d3、d4、d5。"),
    ],
)
def test_digest_has_number_names_and_reason(locale: str, title: str, message_: str) -> None:
    (digest,) = digests(planned(run(message("user.suspended"), on=holding(6, **ALL_CHANNELS))))

    rendered = render(digest.notice, locale)

    assert rendered.title == title
    assert rendered.message.startswith(message_)
    assert "违反服务条款" in rendered.message
    assert json.loads(rendered.data) == {
        "count": 6,
        "devices": [f"d{n}" for n in range(6)],
        "reasonCode": "user_suspended",
        "reason": json.loads(rendered.data)["reason"],
    }


def test_digest_lists_ten_names() -> None:
    (digest,) = digests(planned(run(message("user.suspended"), on=holding(12, **ALL_CHANNELS))))

    assert "d7 and 2 more." in render(digest.notice, "en").message
    assert len(json.loads(render(digest.notice, "en").data)["devices"]) == 12
