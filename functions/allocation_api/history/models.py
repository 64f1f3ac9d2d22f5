"""The history of an allocation on the wire."""

from __future__ import annotations

from enum import StrEnum

from allocation_api.wire import Answer, Moment
from scheduler.database.allocations import Action


class Kind(StrEnum):
    """Whose doing something was."""

    USER = "user"
    """The user who holds the device."""
    ADMINISTRATOR = "administrator"
    """Somebody who acted for him."""
    EVENT = "event"
    """A message of another service."""
    SCHEDULER = "scheduler"
    """The platform itself."""


class Cause(Answer):
    """Whose doing something was; an administrator's id and messages are shown to administrators."""

    kind: Kind
    id: str | None
    queue: str | None


class Entry(Answer):
    """Something that happened; ``expiresAt`` is what an extension led to."""

    at: Moment
    action: Action
    by: Cause
    code: str | None
    reason: str | None
    expires_at: Moment | None


class History(Answer):
    """All that happened to an allocation, oldest first."""

    items: list[Entry]
