"""What happens to users and devices in a drill: each scenario adds events and their promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.workload import Household, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

_TWICE: Final = 0.20
_MALFORMED: Final = 0.01
_FAILING: Final = 0.01
_HELD: Final = 3


def workload(seed: int, events: int, *, faulty: bool = True) -> Workload:
    """Return at least so many distinct events, some of them twice, shuffled.

    Args:
        seed: decides everything.
        events: how many; the last scenario may add up to three more.
        faulty: with malformed and always failing messages among them.
    """
    made = Workload(seed)
    while len(made.messages) < events:
        drawn = made.chance.random()
        if faulty and drawn < _MALFORMED:
            made.malformed()
        elif faulty and drawn < _MALFORMED + _FAILING:
            made.failing()
        else:
            made.chance.choice(_SCENARIOS)(made)
    made.messages += [one for one in made.messages if made.chance.random() < _TWICE]
    made.chance.shuffle(made.messages)
    return made


def suspended(load: Workload) -> None:
    """Everything is taken back, the user is told why; one device fails at the same time."""
    home = load.household(_HELD)
    key = load.event("user.suspended", userId=home.user)
    load.promise(key, states=[("user", home.user, "suspended")])
    load.tell(home, "account_suspended", key)
    load.release(home, _HELD, key)
    _device_trouble(load, home)


def deleted(load: Workload) -> None:
    """Everything is taken back; whether the user still hears of the failed device is open."""
    home = load.household(_HELD, told=False)
    key = load.event("user.deleted", userId=home.user)
    load.promise(key, states=[("user", home.user, "deleted")])
    load.release(home, _HELD, key)
    _device_trouble(load, home)


def activated(load: Workload) -> None:
    """A suspended user may allocate again."""
    home = load.household(0, status="suspended")
    key = load.event("user.activated", userId=home.user)
    load.promise(key, states=[("user", home.user, "active")])


def quota_updated(load: Workload) -> None:
    """The quota falls to one device, the youngest; the oldest one fails at the same time."""
    home = load.household(_HELD)
    key = load.event("user.quota_updated", userId=home.user, newQuota={"maxDevices": 1})
    load.promise(key, states=[("quota", home.user, "1")])
    load.tell(home, "quota_adjusted", key)
    load.release(home, _HELD - 1, key)
    _device_trouble(load, home)


def quota_exceeded(load: Workload) -> None:
    """The limit is one device; applied twice it still releases the same two."""
    home = load.household(_HELD)
    key = load.event("user.quota_exceeded", userId=home.user, limit=1)
    load.tell(home, "quota_adjusted", key)
    load.release(home, _HELD - 1, key)
    _device_trouble(load, home)


def payments_failed(load: Workload) -> None:
    """Three failures, each counted and told; together they stop the service."""
    home = load.household(2)
    keys = [load.event("billing.payment_failed", userId=home.user) for _ in range(3)]
    for key in keys:
        load.allow(("failures", home.user))
        load.tell(home, "billing", key)
    load.promise(
        *keys, states=[("held back", home.user, "True"), ("failures", home.user, str(len(keys)))]
    )
    load.release(home, len(home.held), *keys)


def balance_low(load: Workload) -> None:
    """The user is told."""
    home = load.household(0)
    load.tell(home, "billing", load.event("billing.balance_low", userId=home.user))


def overdue(load: Workload) -> None:
    """The account is held, everything is taken back."""
    home = load.household(2)
    key = load.event("billing.overdue", userId=home.user)
    load.promise(key, states=[("held back", home.user, "True")])
    load.tell(home, "billing", key)
    load.release(home, len(home.held), key)
    _device_trouble(load, home)


def paid(load: Workload) -> None:
    """Two failures are forgotten, the hold is lifted."""
    home = load.household(0, hold=True)
    load.world.payers.append(home.user)
    load.expected.limits["failures", home.user] = 2
    event_type = load.chance.choice(("billing.payment_success", "billing.recharged"))
    key = load.event(event_type, userId=home.user)
    load.promise(key, states=[("held back", home.user, "False"), ("failures", home.user, "0")])
    load.tell(home, "billing", key)


def created(load: Workload) -> None:
    """A device joins the pool."""
    device = f"new-{len(load.messages)}"
    key = load.event("device.created", deviceId=device, cpuCores=4)
    load.promise(key, states=[("health", device, "running"), ("free", device)])


def device_trouble(load: Workload) -> None:
    """A device that somebody holds gets into trouble, and nothing else happens."""
    _device_trouble(load, load.household(1))


def _device_trouble(load: Workload, home: Household) -> None:
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
    load.promise(key, states=[("health", device, health)])
    load.release(home, 1, key)


_SCENARIOS: Final[tuple[Callable[[Workload], None], ...]] = (
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
    device_trouble,
)
