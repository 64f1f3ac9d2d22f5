"""What users may choose: the channels of each notification type, and quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias
from zoneinfo import ZoneInfo

from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from scheduler.domain.notices import NoticeKind

ChannelChoices: TypeAlias = Mapping[str, Mapping[str, bool]]
"""By notification type and channel: on or off; what is missing is as in `NoticeKind`."""


def channels(kind: NoticeKind, choices: ChannelChoices) -> tuple[Channel, ...]:
    """Return the channels of a notification; choices cannot silence an account-critical one."""
    chosen = choices.get(kind.type)
    return _chosen(kind, chosen) if chosen else _usual(kind)


@cache
def _usual(kind: NoticeKind) -> tuple[Channel, ...]:
    return _chosen(kind, {})


def _chosen(kind: NoticeKind, chosen: Mapping[str, bool]) -> tuple[Channel, ...]:
    return tuple(
        channel
        for channel in Channel
        if chosen.get(channel, channel in kind.channels)
        or (kind.account_critical and channel in kind.channels)
    )


_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours without e-mail and SMS: from ``start`` until before ``end`` in a time zone.

    They may span midnight. ``zone`` is an IANA name, such as Asia/Shanghai.
    """

    start: time
    end: time
    zone: str

    def end_after(self, now: datetime) -> datetime | None:
        """Return when the quiet hours that contain ``now`` end, in UTC; None outside of them.

        An end within the hour that is skipped when clocks are set forward means the end of that
        hour. A zone that was removed from the time zone database counts as no quiet hours.
        """
        try:
            local = now.astimezone(ZoneInfo(self.zone))
        except (ValueError, OSError, LookupError):  # OSError: the name is a folder of zones
            return None
        if not self._contains(local.time()):
            return None
        tomorrow = timedelta(days=self.start > self.end and local.time() >= self.start)
        # fold: when clocks are set back an hour occurs twice; keep the occurrence of now.
        end = datetime.combine(local.date() + tomorrow, self.end.replace(fold=local.fold))
        return _first_moment(end.replace(tzinfo=local.tzinfo))

    def _contains(self, clock: time) -> bool:
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


def _first_moment(local: datetime) -> datetime:
    """Return the first moment, in UTC, at which clocks show a local time or a later one."""
    # In a gap, fold 0 takes the offset before it and fold 1 the one after (PEP 495).
    before, after = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    moment = local.astimezone(UTC)
    if before is None or after is None or before >= after:
        return moment
    earliest = moment - (after - before)
    while moment - earliest > _SECOND:
        middle = earliest + (moment - earliest) // 2
        if middle.astimezone(local.tzinfo).utcoffset() == after:
            moment = middle
        else:
            earliest = middle
    return moment.replace(microsecond=0)
