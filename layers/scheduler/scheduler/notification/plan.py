"""Which notifications are stored for the notices of a transaction, with which deliveries."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.notices import Notice, NoticeKind
from scheduler.notification import preferences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scheduler.domain.model import User
    from scheduler.domain.notices import Channel

DIGEST_ABOVE: Final = 5
"""If one event releases more devices of a user, e-mail and SMS get one digest instead."""


class PlannedNotice(NamedTuple):
    """A notice to store as a notification, with one delivery for each of ``channels``."""

    notice: Notice
    channels: tuple[Channel, ...]


def plan(notices: Iterable[Notice], user: Callable[[str], User]) -> Iterator[PlannedNotice]:
    """Apply each user's channel choices, and combine many releases by one event into a digest.

    Args:
        notices: what to notify users of.
        user: returns a user by id.
    """
    all_notices = list(notices)
    groups = {key: group for key, group in _by_event(all_notices) if len(group) > DIGEST_ABOVE}
    for notice in all_notices:
        wanted = preferences.channels(notice.kind, user(notice.user_id).channel_choices)
        in_digest = notice.kind is NoticeKind.DEVICE_RELEASED and _event(notice) in groups
        yield PlannedNotice(notice, _only(wanted, intrusive=False) if in_digest else wanted)
    for (user_id, _), group in groups.items():
        choices = user(user_id).channel_choices
        wanted = preferences.channels(NoticeKind.DEVICE_RELEASED, choices)
        if intrusive := _only(wanted, intrusive=True):
            yield PlannedNotice(_digest(group), intrusive)


def _by_event(notices: Iterable[Notice]) -> Iterable[tuple[tuple[str, str], list[Notice]]]:
    groups: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    for notice in notices:
        if notice.kind is NoticeKind.DEVICE_RELEASED:
            groups[_event(notice)].append(notice)
    return groups.items()


def _event(notice: Notice) -> tuple[str, str]:
    return notice.user_id, notice.message_key


def _only(channels: Iterable[Channel], *, intrusive: bool) -> tuple[Channel, ...]:
    return tuple(channel for channel in channels if channel.intrusive is intrusive)


def _digest(group: Sequence[Notice]) -> Notice:
    first = group[0]
    return Notice(
        first.user_id,
        NoticeKind.DEVICES_RELEASED,
        # An allocation ends once, so its id makes the digest as unique as the single notices.
        f"{NoticeKind.DEVICES_RELEASED.key}:{first.params['allocation'].id}",
        {
            "count": len(group),
            "devices": [notice.params["device"] for notice in group],
            "reason": first.params["reason"],
        },
        first.message_key,
        first.actor,
        first.trace,
    )
