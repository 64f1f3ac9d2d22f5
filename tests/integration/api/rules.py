"""Who may call which route, stated a second time: a rule that changes by mistake fails a test."""

from __future__ import annotations

from typing import Final

from allocation_api.access import Access

RULES: Final = {
    ("POST", "/api/allocations"): Access.OWNER,
    ("GET", "/api/allocations/{allocation_id}"): Access.OWNER,
    ("DELETE", "/api/allocations/{allocation_id}"): Access.OWNER,
    ("POST", "/api/allocations/{allocation_id}/extend"): Access.OWNER,
    ("GET", "/api/allocations/user/{user_id}"): Access.OWNER,
    ("GET", "/api/allocations/{allocation_id}/history"): Access.OWNER,
    ("GET", "/api/allocations/waiting/{place_id}"): Access.OWNER,
    ("DELETE", "/api/allocations/waiting/{place_id}"): Access.OWNER,
    ("GET", "/api/allocations/waiting/user/{user_id}"): Access.OWNER,
    ("POST", "/api/allocations/batch"): Access.EACH,
    ("POST", "/api/allocations/batch/release"): Access.EACH,
    ("POST", "/api/allocations/batch/extend"): Access.EACH,
    ("POST", "/api/reservations"): Access.OWNER,
    ("GET", "/api/reservations/{reservation_id}"): Access.OWNER,
    ("DELETE", "/api/reservations/{reservation_id}"): Access.OWNER,
    ("GET", "/api/reservations/user/{user_id}"): Access.OWNER,
    ("GET", "/api/devices"): Access.USER,
    ("GET", "/api/devices/{device_id}"): Access.USER,
    ("PUT", "/api/devices/{device_id}"): Access.ADMIN,
    ("GET", "/api/devices/{device_id}/allocations"): Access.ADMIN,
    ("GET", "/api/devices/{device_id}/timeline"): Access.ADMIN,
    ("GET", "/api/users/{user_id}/timeline"): Access.OWNER,
    ("GET", "/api/users/{user_id}"): Access.OWNER,
    ("PUT", "/api/users/{user_id}"): Access.ADMIN,
    ("GET", "/api/users/{user_id}/notifications"): Access.OWNER,
    ("POST", "/api/users/{user_id}/notifications/{notification_id}/read"): Access.OWNER,
    ("GET", "/api/users/{user_id}/preferences"): Access.OWNER,
    ("PUT", "/api/users/{user_id}/preferences"): Access.OWNER,
    ("POST", "/api/realtime/ticket"): Access.USER,
    ("GET", "/api/health"): Access.ANYONE,
    ("GET", "/openapi.json"): Access.ANYONE,
}
