"""The scenarios of a drill; each adds events and the effects that are expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.workload import DrillWorkload, Household

if TYPE_CHECKING:
    from collections.abc import Callable

_TWICE: Final = 0.25
_MALFORMED: Final = 0.01
_FAILING: Final = 0.01
_HELD: Final = 3


def workload(seed: int, events: int, *, faulty: bool = True) -> DrillWorkload:
    """Return at least so many distinct events, shuffled and partly duplicated.

    Args:
        seed: determines all random choices.
        events: the number of events; the last scenario may add up to three more.
        faulty: whether to add malformed and always failing messages.
    """
    made = DrillWorkload(seed)
    while len(made.messages) < events:
        drawn = made.chance.random()
        if faulty and drawn < _MALFORMED:
            made.malformed()
        elif faulty and drawn < _MALFORMED + _FAILING:
            made.failing()
        else:
            made.chance.choice(_SCENARIOS)(made)
    made.messages += [
        one for one in made.messages if one.identified and made.chance.random() < _TWICE
    ]
    made.chance.shuffle(made.messages)
    return made


def suspended(load: DrillWorkload) -> None:
    """All devices are released and the user is notified; one device fails at the same time."""
    home = load.household(_HELD)
    key = load.event("user.suspended", userId=home.user)
    load.expect(key, states=[("user", home.user, "suspended")])
    load.notify(home, "account_suspended", key)
    load.release(home, _HELD, key)
    _device_trouble(load, home)


def deleted(load: DrillWorkload) -> None:
    """All devices are released; the user may or may not be notified of the failed device."""
    home = load.household(_HELD, notified=False)
    key = load.event("user.deleted", userId=home.user)
    load.expect(key, states=[("user", home.user, "deleted")])
    load.release(home, _HELD, key)
    _device_trouble(load, home)


def activated(load: DrillWorkload) -> None:
    """A suspended user is activated."""
    home = load.household(0, status="suspended")
    key = load.event("user.activated", userId=home.user)
    load.expect(key, states=[("user", home.user, "active")])


def quota_updated(load: DrillWorkload) -> None:
    """The quota falls to one device, the newest; the oldest fails at the same time."""
    home = load.household(_HELD)
    key = load.event("user.quota_updated", userId=home.user, newQuota={"maxDevices": 1})
    load.expect(key, states=[("quota", home.user, "1")])
    load.notify(home, "quota_adjusted", key)
    load.release(home, _HELD - 1, key)
    _device_trouble(load, home)


def quota_exceeded(load: DrillWorkload) -> None:
    """The limit is one device; applying the event twice releases the same two."""
    home = load.household(_HELD)
    key = load.event("user.quota_exceeded", userId=home.user, limit=1)
    load.notify(home, "quota_adjusted", key)
    load.release(home, _HELD - 1, key)
    _device_trouble(load, home)


def payments_failed(load: DrillWorkload) -> None:
    """Three failures, each counted and notified; together they suspend the service."""
    home = load.household(2)
    keys = load.events(3, "billing.payment_failed", userId=home.user)
    for key in keys:
        load.repeat(key, ("failures", home.user))
        load.notify(home, "billing", key)
    load.expect(
        *keys, states=[("held back", home.user, "True"), ("failures", home.user, str(len(keys)))]
    )
    load.release(home, len(home.held), *keys)


def balance_low(load: DrillWorkload) -> None:
    """The user is notified."""
    home = load.household(0)
    load.notify(home, "billing", load.event("billing.balance_low", userId=home.user))


def overdue(load: DrillWorkload) -> None:
    """A billing hold is set and all devices are released."""
    home = load.household(2)
    key = load.event("billing.overdue", userId=home.user)
    load.expect(key, states=[("held back", home.user, "True")])
    load.notify(home, "billing", key)
    load.release(home, len(home.held), key)
    _device_trouble(load, home)


def paid(load: DrillWorkload) -> None:
    """Two failures are forgotten and the billing hold ends."""
    home = load.household(0, hold=True)
    load.world.payers.append(home.user)
    load.expected.limits["failures", home.user] = 2
    event_type = load.chance.choice(("billing.payment_success", "billing.recharged"))
    key = load.event(event_type, userId=home.user)
    load.expect(key, states=[("held back", home.user, "False"), ("failures", home.user, "0")])
    load.notify(home, "billing", key)


def created(load: DrillWorkload) -> None:
    """A device joins the pool."""
    device = f"new-{len(load.messages)}"
    key = load.event("device.created", deviceId=device, cpuCores=4)
    load.expect(key, states=[("health", device, "running"), ("free", device)])


def handed_over(load: DrillWorkload) -> None:
    """The freed device goes to a user in the waiting line, once."""
    waiter, entry, size = load.waiter()
    home = load.household(1, sizes=size)
    event_type = load.chance.choice(("user.suspended", "billing.overdue"))
    key = load.event(event_type, userId=home.user)
    load.notify(home, "account_suspended" if event_type == "user.suspended" else "billing", key)
    load.release(home, 1, key, free=False)
    notified = ("notified", waiter, "allocation_success", "")
    load.allow(notified)
    states = [("served", entry), ("holds", home.held[0][1], waiter)]
    load.expect(key, effects=[notified], states=states)


def device_trouble(load: DrillWorkload) -> None:
    """An allocated device fails, is deleted, stops or enters maintenance; nothing else happens."""
    _device_trouble(load, load.household(1))


def _device_trouble(load: DrillWorkload, home: Household) -> None:
    device = home.held[0][1]
    event_type, health = load.chance.choice(
        (
            ("device.failed", "failed"),
            ("device.deleted", "deleted"),
            ("device.maintenance", "maintenance"),
            ("device.status_changed", "stopped"),
        )
    )
    key = load.event(event_type, deviceId=device)
    load.expect(key, states=[("health", device, health)])
    load.release(home, 1, key)


_SCENARIOS: Final[tuple[Callable[[DrillWorkload], None], ...]] = (
    suspended,
    deleted,
    activated,
    quota_updated,
    quota_exceeded,
    payments_failed,
    balance_low,
    overdue,
    paid,
    created,
    handed_over,
    device_trouble,
)
