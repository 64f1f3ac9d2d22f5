"""What one event does to a household: an independent model of the product. Pure.

It shares no code with the rules, the unit of work or the tables, and follows docs/events.md,
docs/allocation.md and docs/notifications.md. Its state is what can be observed afterwards: facts.

A fact is a tuple of its kind, the id that tells its household, and what else identifies it. Facts
of `EFFECTS` are counted; the others have a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.faults.marks import (
    ADVANCED,
    COMPARED,
    NO_MARK,
    EarlyReport,
    advanced,
    is_older,
    latest,
    leaves_debt,
    without_version,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.marks import Mark
    from tests.faults.workload import DrillEvent, Household

Fact = tuple[str, ...]
Facts = dict[Fact, Any]

EFFECTS: Final = frozenset(
    {"released", "published", "notified", "delivery", "processed", "failures"}
)
"""Kinds whose value is a number: less than expected is lost, more is doubled."""

_MAILED: Final = ("websocket", "email")
_CHANNELS: Final[dict[str, tuple[str, ...]]] = {
    "device_released": ("websocket",),
    "allocation_success": ("websocket",),
    "account_suspended": _MAILED,
    "quota_adjusted.updated": _MAILED,
    "quota_adjusted.exceeded": _MAILED,
    "billing_alert.payment_failed": _MAILED,
    "billing_alert.balance_low": _MAILED,
    "billing_alert.overdue": (*_MAILED, "sms"),
    "billing_alert.payment_success": ("websocket",),
    "billing_alert.recharged": ("websocket",),
    "service_suspended": (*_MAILED, "sms"),
}
_DIGEST: Final = "device_released.digest"
_MOST_SINGLE_MAILS: Final = 5
_DEFAULT_QUOTA: Final = 10


class State:
    """The facts of a household, and what has changed since they were copied."""

    def __init__(self, home: Household, facts: Facts) -> None:
        self.facts = facts
        self.changed: set[str] = set()
        self._home = home

    @classmethod
    def before(cls, home: Household) -> State:
        """Return the state before any event."""
        facts: Facts = {("user", id_): row for id_, row in home.users.items()}
        for held, user in home.holds.items():
            facts["device", held.device] = ("running", home.cores)
            facts["holds", held.allocation] = (user, held.device)
        facts |= {("waiting", entry): "WAITING" for entry in home.waits}
        facts |= {("hold", id_): "debt" for id_, (_, hold, _) in home.users.items() if hold}
        if home.failures:
            facts["failures", home.user] = home.failures
        return cls(home, facts)

    def copy(self) -> State:
        """Return a copy to which an event can be applied."""
        return State(self._home, dict(self.facts))

    def count(self, *fact: str) -> None:
        """Count an effect."""
        self.facts[fact] = self.facts.get(fact, 0) + 1

    def user(self, id_: str) -> tuple[str, bool, int]:
        """Return status, billing hold and quota; an unknown user has the defaults."""
        known: tuple[str, bool, int] | None = self.facts.get(("user", id_))
        return known or ("active", False, _DEFAULT_QUOTA)

    def device(self, id_: str) -> tuple[str, int]:
        """Return health and cores; an unknown device has the defaults."""
        known: tuple[str, int] | None = self.facts.get(("device", id_))
        return known or ("running", 0)

    def set_user(
        self, id_: str, *, status: str = "", hold: bool | None = None, quota: int | None = None
    ) -> None:
        """Change a user, and take them off the waiting line if they are blocked now."""
        before = self.user(id_)
        after = (
            status or before[0],
            before[1] if hold is None else hold,
            before[2] if quota is None else quota,
        )
        self.facts["user", id_] = after
        if not _may_hold(after):
            for entry, user in self._home.waits.items():
                if user == id_ and self.facts["waiting", entry] == "WAITING":
                    self.facts["waiting", entry] = "REMOVED"

    def set_hold(self, id_: str, cause: str) -> None:
        """Put a user on hold for this cause, or take an empty one off."""
        self.set_user(id_, hold=bool(cause))
        self.facts.pop(("hold", id_), None)
        if cause:
            self.facts["hold", id_] = cause

    def hold(self, id_: str) -> str:
        """Return why a user is on hold; empty if they are not."""
        return str(self.facts.get(("hold", id_), ""))

    def set_health(self, id_: str, health: str, cores: int | None = None) -> None:
        """Change a device."""
        known = self.device(id_)[1]
        self.facts["device", id_] = (health, known if cores is None else cores)
        self.changed.add(id_)

    def held(self, *, user: str = "", device: str = "") -> list[str]:
        """Return the active allocations of a user or of a device, oldest first."""
        return sorted(
            fact[1]
            for fact, value in self.facts.items()
            if fact[0] == "holds" and (value[0] == user or value[1] == device)
        )

    def release(self, allocations: list[str], code: str, event: DrillEvent) -> None:
        """End allocations, and tell their user, other services and the history."""
        digest = self._home.mails_releases and len(allocations) > _MOST_SINGLE_MAILS
        for allocation in allocations:
            user, device = self.facts.pop(("holds", allocation))
            self.changed.add(device)
            self.count(
                "released", allocation, user, device, code, f"event:{event.queue}:{event.id}"
            )
            self.count("published", allocation, "device.released", user, device, code, event.id)
            mailed = self._home.mails_releases and not digest
            self._store(user, f"device_released:{allocation}", _MAILED[: 1 + mailed])
        if digest:
            self._store(self._home.user, f"{_DIGEST}:{allocations[0]}", ("email",))

    def allocate(self, entry: str, device: str) -> None:
        """Give a device to an entry of the waiting line."""
        user = self._home.waits[entry]
        self.facts["holds", entry] = (user, device)
        self.facts["waiting", entry] = "SERVED"
        self.count("published", entry, "device.allocated", user, device, "", "")
        self.notify(user, "allocation_success", entry)

    def notify(self, user: str, kind: str, cause: str) -> None:
        """Notify a user, unless they are deleted."""
        self._store(user, f"{kind}:{cause}", _CHANNELS[kind])

    def waiting(self, device: str) -> Iterator[str]:
        """Yield the entries that a device can be given to now, in their order."""
        if self.device(device)[0] != "running" or self.held(device=device):
            return
        for entry, user in self._home.waits.items():
            room = self.user(user)[2] > len(self.held(user=user))
            suits = self.device(device)[1] >= self._home.cores
            waits = self.facts["waiting", entry] == "WAITING"
            if waits and suits and room and _may_hold(self.user(user)):
                yield entry

    def is_outdated(self, event: DrillEvent) -> bool:
        """Return whether a newer event of the concern was applied, or the subject is deleted."""
        by_device = event.event_type.startswith("device")
        deleted = (self.device if by_device else self.user)(event.subject)[0] == "deleted"
        if deleted and event.event_type not in {"device.created", "device.deleted"}:
            return True
        concern = COMPARED[event.event_type]
        return bool(concern) and self.is_older(event, concern)

    def is_older(self, event: DrillEvent, concern: str) -> bool:
        """Return whether an event is older than the newest one of a concern.

        The versions of a device do not count while it is deleted.
        """
        mark: Mark = self.facts.get(("mark", event.subject, concern), NO_MARK)
        of_device = event.event_type.startswith("device")
        if of_device and self.device(event.subject)[0] == "deleted":
            mark, event = without_version(mark), event._replace(fields={})
        return is_older(event, mark)

    def advance(self, event: DrillEvent) -> None:
        """Set the marks of an event that was applied."""
        for concern in () if leaves_debt(event) else ADVANCED[event.event_type]:
            key = ("mark", event.subject, concern)
            self.facts[key] = advanced(event, self.facts.get(key, NO_MARK))

    def note_early(self, event: DrillEvent) -> None:
        """Keep what is reported about a deleted device: it may be about its next life."""
        known = {"device.failed": "failed", "device.maintenance": "maintenance"}
        health = known.get(event.event_type) or event.fields.get("newStatus")
        if health is None or self.device(event.subject)[0] != "deleted":
            return
        report = EarlyReport(health, event.at, event.fields.get("version"))
        if not self._is_of_former_life(event.subject, report):
            self._note(event.subject, report)

    def keep_newer_report(self, deleted: DrillEvent) -> None:
        """Make a report that is newer than the deletion of its device an early one."""
        mark = self.facts.get(("mark", deleted.subject, "health"))
        health = self.device(deleted.subject)[0]
        if mark and health != "deleted" and latest(deleted.at) < mark.newest:
            self._note(deleted.subject, EarlyReport(health, mark.newest, None))
            self.facts["mark", deleted.subject, "health"] = advanced(deleted, NO_MARK)

    def early_report(self, event: DrillEvent) -> EarlyReport | None:
        """Return what was reported about a deleted device after it was created again."""
        report: EarlyReport | None = self.facts.get(("early", event.subject))
        if report is None or not is_older(event, advanced(report, NO_MARK)):
            return None
        if latest(report.at) < event.at:
            return None
        return None if self._is_of_former_life(event.subject, report) else report

    def advance_health(self, device: str, report: EarlyReport) -> None:
        """Set the mark of a report that counts now."""
        key = ("mark", device, "health")
        self.facts[key] = advanced(report, self.facts.get(key, NO_MARK))

    def _note(self, device: str, report: EarlyReport) -> None:
        noted = self.facts.get(("early", device))
        if noted is None or not latest(report.at) < noted.at:
            self.facts["early", device] = report

    def _is_of_former_life(self, device: str, report: EarlyReport) -> bool:
        mark = self.facts.get(("mark", device, "health"), NO_MARK)
        return is_older(report._replace(version=None), mark)

    def forget_versions(self, device: str) -> None:
        """Compare the events of a device by their times only, because it was created again."""
        for concern in ("health", "creation"):
            if mark := self.facts.get(("mark", device, concern)):
                self.facts["mark", device, concern] = without_version(mark)

    def _store(self, user: str, dedupe_key: str, channels: tuple[str, ...]) -> None:
        if self.user(user)[0] == "deleted":
            return
        self.count("notified", user, dedupe_key)
        for channel in channels:
            self.count("delivery", user, dedupe_key, channel, "pending")


def named(event: DrillEvent) -> str:
    """Return the id under which an event is known in all queues."""
    return f"{event.queue}:{event.id}"


def _may_hold(user: tuple[str, bool, int]) -> bool:
    return user[0] == "active" and not user[1]
