"""What the code of the routes does not say: names, and the codes of refusals by status."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAY_NOT_ALLOCATE: Final = ("user_deleted", "user_suspended", "billing_hold")
_DELETED: Final = {403: ("user_deleted",)}
_MISSING: Final = {404: ("not_found",)}


@dataclass(frozen=True, slots=True)
class Operation:
    """A route: name for programs, sentence for people, codes and bodies by status.

    ``refusals`` are those that do not follow from role, parameters and body; ``bodies`` name the
    model of a status where it is not the one that the route returns.
    """

    name: str
    summary: str
    refusals: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    bodies: Mapping[int, str] = field(default_factory=dict)


OPERATIONS: Final = {
    ("POST", "/api/allocations"): Operation(
        "allocate",
        "Allocate a device – or, with `wait`, take a place in line where none is free",
        {403: (*_MAY_NOT_ALLOCATE, "quota_exceeded"), 409: ("no_device_available",)},
        {201: "Allocation", 202: "WaitingPlace"},
    ),
    ("GET", "/api/allocations/{allocation_id}"): Operation(
        "getAllocation", "Look up an allocation", _MISSING
    ),
    ("DELETE", "/api/allocations/{allocation_id}"): Operation(
        "release", "Release the device; releasing again changes nothing", _MISSING
    ),
    ("POST", "/api/allocations/{allocation_id}/extend"): Operation(
        "extend",
        "Let an active allocation last longer",
        {
            403: _MAY_NOT_ALLOCATE,
            **_MISSING,
            409: ("not_active", "duration_exceeded", "device_reserved"),
        },
    ),
    ("GET", "/api/allocations/{allocation_id}/history"): Operation(
        "getHistory", "Who or which event did what to an allocation, when and why", _MISSING
    ),
    ("GET", "/api/allocations/user/{user_id}"): Operation(
        "listAllocations", "A user's allocations, newest first"
    ),
    ("GET", "/api/allocations/waiting/{place_id}"): Operation(
        "getPlace", "Look up a place in line", _MISSING
    ),
    ("DELETE", "/api/allocations/waiting/{place_id}"): Operation(
        "leaveLine", "Give up a place in line; one that has ended stays as it is", _MISSING
    ),
    ("GET", "/api/allocations/waiting/user/{user_id}"): Operation(
        "listPlaces", "The places in which a user waits, oldest first"
    ),
    ("POST", "/api/allocations/batch"): Operation(
        "allocateBatch", "Allocate up to 100 devices; each request succeeds or fails on its own"
    ),
    ("POST", "/api/allocations/batch/release"): Operation(
        "releaseBatch", "Release up to 100 devices; each succeeds or fails on its own"
    ),
    ("POST", "/api/allocations/batch/extend"): Operation(
        "extendBatch", "Extend up to 100 allocations; each succeeds or fails on its own"
    ),
    ("POST", "/api/reservations"): Operation(
        "reserve",
        "Reserve a device; `slot_taken` names the nearest slot that is free",
        {
            403: (*_MAY_NOT_ALLOCATE, "quota_exceeded"),
            409: ("slot_taken", "no_device_available"),
        },
    ),
    ("GET", "/api/reservations/{reservation_id}"): Operation(
        "getReservation", "Look up a reservation", _MISSING
    ),
    ("DELETE", "/api/reservations/{reservation_id}"): Operation(
        "cancelReservation", "Cancel a reservation; one that has ended stays as it is", _MISSING
    ),
    ("GET", "/api/reservations/user/{user_id}"): Operation(
        "listReservations", "What is reserved for a user, the next first"
    ),
    ("GET", "/api/devices"): Operation("listDevices", "The pool, by id"),
    ("GET", "/api/devices/{device_id}"): Operation("getDevice", "Look up a device", _MISSING),
    ("GET", "/api/users/{user_id}"): Operation("getUser", "Look up a user", _MISSING),
    ("PUT", "/api/users/{user_id}"): Operation(
        "changeUser", "Change quota, contact or locale; makes a user nobody has heard of", _DELETED
    ),
    ("GET", "/api/users/{user_id}/notifications"): Operation(
        "listNotifications", "A user's inbox, newest first"
    ),
    ("POST", "/api/users/{user_id}/notifications/{notification_id}/read"): Operation(
        "markRead", "Mark a notification as read", _MISSING
    ),
    ("GET", "/api/users/{user_id}/preferences"): Operation(
        "getPreferences", "Where and when a user wants to be told what"
    ),
    ("PUT", "/api/users/{user_id}/preferences"): Operation(
        "replacePreferences", "Choose where and when to be told what", _DELETED
    ),
    ("POST", "/api/realtime/ticket"): Operation(
        "issueTicket", "A one-time ticket for the WebSocket", {503: ("tickets_unavailable",)}
    ),
    ("GET", "/api/health"): Operation(
        "checkHealth",
        "Database, broker and DynamoDB: each ok, or why not",
        bodies={200: "HealthReport", 503: "HealthReport"},
    ),
}
