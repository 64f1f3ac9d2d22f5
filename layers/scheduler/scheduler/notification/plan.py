"""Which notifications are written for what happened, and on which channels each is sent."""

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
"""An event that takes more devices from one user is told once by e-mail and SMS."""


class Planned(NamedTuple):
    """A notification to write, with a delivery for each channel."""

    notice: Notice
    channels: tuple[Channel, ...]


def plan(notices: Iterable[Notice], user: Callable[[str], User]) -> Iterator[Planned]:
    """Apply each user's choices, and gather the many releases of one event into a digest."""
    listed = list(notices)
    gathered = {key: group for key, group in _by_event(listed) if len(group) > DIGEST_ABOVE}
    for notice in listed:
        wanted = preferences.channels(notice.kind, user(notice.user_id).channel_choices)
        in_digest = notice.kind is NoticeKind.DEVICE_RELEASED and _event(notice) in gathered
        yield Planned(notice, _only(wanted, intrusive=False) if in_digest else wanted)
    for (user_id, _), group in gathered.items():
        choices = user(user_id).channel_choices
        wanted = preferences.channels(NoticeKind.DEVICE_RELEASED, choices)
        if once := _only(wanted, intrusive=True):
            yield Planned(_digest(group), once)


def _by_event(notices: Iterable[Notice]) -> Iterable[tuple[tuple[str, str], list[Notice]]]:
    groups: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    for notice in notices:
        if notice.kind is NoticeKind.DEVICE_RELEASED:
            groups[_event(notice)].append(notice)
    return groups.items()


def _event(notice: Notice) -> tuple[str, str]:
    return notice.user_id, notice.cause


def _only(channels: Iterable[Channel], *, intrusive: bool) -> tuple[Channel, ...]:
    return tuple(channel for channel in channels if channel.intrusive is intrusive)


def _digest(group: Sequence[Notice]) -> Notice:
    first = group[0]
    return Notice(
        first.user_id,
        NoticeKind.DEVICES_RELEASED,
        # An allocation ends once, so this is as unique as the notices it stands for.
        f"{NoticeKind.DEVICES_RELEASED.key}:{first.params['allocation'].id}",
        {
            "count": len(group),
            "devices": [notice.params["device"] for notice in group],
            "reason": first.params["reason"],
        },
    )
