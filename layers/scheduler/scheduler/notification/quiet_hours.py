"""The hours in which a user wants neither e-mail nor SMS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``start`` until before ``end`` on the clocks of ``zone`` (IANA); may span midnight."""

    start: time
    end: time
    zone: str

    def end_after(self, now: datetime) -> datetime | None:
        """Return when the quiet hours around ``now`` end, in UTC; None outside of them.

        A zone that the time zone database has dropped since it was chosen holds nothing back.
        """
        try:
            local = now.astimezone(ZoneInfo(self.zone))
        except (ValueError, OSError, LookupError):  # also what is a path, or a folder of zones
            return None
        if not self._contains(local.time()):
            return None
        tomorrow = timedelta(days=self.start > self.end and local.time() >= self.start)
        # The fold of now: when the clocks are set back, an hour comes twice.
        end = datetime.combine(local.date() + tomorrow, self.end.replace(fold=local.fold))
        return end.replace(tzinfo=local.tzinfo).astimezone(UTC)

    def _contains(self, clock: time) -> bool:
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end
