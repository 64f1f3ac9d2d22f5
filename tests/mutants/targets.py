"""What is mutated, and the tests that must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from local.paths import ROOT
from tests.mutants.change import Module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOTS: Final = (ROOT / "layers/scheduler", ROOT / "functions")


class Target(NamedTuple):
    """Modules, the tests that run on their mutants, and whether the modules do no I/O."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    pure: bool


def _all(prefix: str, names: str, suffix: str = "") -> tuple[str, ...]:
    """Return a prefix with each of some names, such as ``scheduler.pipeline.settle``."""
    return tuple(f"{prefix}{name}{suffix}" for name in names.split())


def _tests(folder: str, names: str) -> tuple[str, ...]:
    return _all(f"tests/{folder}/test_", names, ".py")


# Without the properties of any order: they take longer than all others together.
_RULES: Final = (
    *_tests("unit/rules", "device_rules user_rules billing_rules canary_rules clocks"),
    *_tests("unit/rules", "device_order user_order billing_order"),
    *_tests("unit/pipeline", "decide"),
)
_EFFECTS: Final = _tests("integration/pipeline", "effects")
_WAITING: Final = _tests("integration/api", "waiting")

TARGETS: Final = (
    Target(
        ("scheduler.domain",),
        ("tests/unit/domain", *_RULES, *_tests("unit/notification", "catalogue")),
        pure=True,
    ),
    Target(
        _all("", "device_events.rules user_events.rules billing_events.rules"), _RULES, pure=True
    ),
    Target(
        _all("scheduler.pipeline.", "decide envelope event_rules outcome settle"),
        (
            *("tests/unit/pipeline", *_RULES),
            *_tests("integration/broker", "settling_outcomes settling_parking"),
        ),
        pure=True,
    ),
    Target(
        ("scheduler.pipeline.earlier_ids", "scheduler.pipeline.neighbours"),
        _tests("unit/pipeline", "earlier_ids neighbours")
        + _tests("integration/pipeline", "without_id without_id_later without_id_parked")
        + _tests("integration/pipeline", "without_id_returned without_id_runs"),
        pure=True,
    ),
    Target(
        _all("scheduler.", "aws_errors bisection deadline"),
        _tests("unit", "aws_errors bisection deadline"),
        pure=True,
    ),
    Target(
        ("scheduler.database.errors",),
        ("tests/unit/database", *_tests("integration/database", "errors")),
        pure=True,
    ),
    Target(
        _all("scheduler.payments.", "failure item ledger notation"),
        ("tests/unit/payments", *_tests("integration/payments", "counter together")),
        pure=True,
    ),
    Target(
        _all("scheduler.notification.", "plan preferences")
        + _all("scheduler.outbox.", "delivery retry_policy"),
        ("tests/unit/notification", *_RULES),
        pure=True,
    ),
    # A mutant of the window may wait forever: it is killed after five times what these tests take.
    Target(
        _all("notification_dispatch.", "circuit_breaker send_window"),
        _tests("unit/notification", "circuit_breaker send_window"),
        pure=True,
    ),
    Target(
        _all("scheduler.payments.", "counter table"),
        (*_tests("unit/payments", "client_limits"), "tests/integration/payments"),
        pure=False,
    ),
    Target(
        ("scheduler.unit_of_work",),
        _tests("integration/database", "unit_of_work unit_of_work_locks unit_of_work_retries")
        + _tests("integration/pipeline", "refused_waiting_users"),
        pure=False,
    ),
    Target(
        ("scheduler.hand_over",),
        _tests("integration/allocation", "hand_over")
        + _tests("integration/pipeline", "refused_waiting_users reservations_end")
        + (*_WAITING, *_tests("integration/api", "reservations")),
        pure=False,
    ),
    Target(
        ("scheduler.database.commit",),
        _tests("integration/database", "unit_of_work")
        + _tests("integration/api", "allocating extending history")
        + _EFFECTS,
        pure=False,
    ),
    Target(
        ("scheduler.pipeline.isolation",),
        _tests("unit/pipeline", "isolation_bounds part_size")
        + _tests("integration/pipeline", "isolation"),
        pure=False,
    ),
    Target(
        ("scheduler.pipeline.redelivery",),
        _tests("integration/pipeline", "fail_once redeliveries")
        + _tests("integration/broker", "settling_notes"),
        pure=False,
    ),
    Target(
        ("scheduler.pipeline.transaction",),
        _tests("integration/pipeline", "forgotten_ids isolation locked_rows mass_failure")
        + _tests("integration/pipeline", "mass_failure_count overtaken receipt_time traces")
        + _tests("integration/broker", "settling_notes")
        + _tests("integration/payments", "crash_window")
        + (*_EFFECTS, *_tests("integration/ops", "timeline")),
        pure=False,
    ),
    Target(
        ("scheduler.pipeline.unidentified",),
        _tests("integration/pipeline", "without_id without_id_later without_id_parked")
        + _tests("integration/pipeline", "without_id_returned without_id_runs"),
        pure=False,
    ),
    Target(
        _all("scheduler.pipeline.", "report unapplied"),
        _tests("unit/pipeline", "report_of_outcomes unapplied")
        + _tests("integration/pipeline", "isolation other_publishers report traces unapplied")
        + _tests("integration/pipeline", "without_id"),
        pure=False,
    ),
    Target(
        ("scheduler.pipeline.consumer",),
        _tests("integration/pipeline", "report bad_bodies traces without_id without_id_later")
        + _tests("integration/broker", "settling_outcomes settling_parking settling_brake")
        + _tests("integration/broker", "settling_notes settling_publisher")
        + _tests("integration/dispatch", "nudge"),
        pure=False,
    ),
    Target(
        _all("scheduler.outbox.", "claims hourly_limit outgoing_events turns"),
        _tests("integration/dispatch", "claims claim_results turns hourly_limit outgoing_events")
        + _tests("integration/dispatch", "channel_worker outgoing_publishers")
        + _tests("unit/notification", "hourly_limit"),
        pure=False,
    ),
    Target(
        _all("scheduler.outbox.", "backlog settled"),
        _tests("integration/housekeeping", "sweep reconciling_notifications")
        + _tests("integration/ops", "outbox overview"),
        pure=False,
    ),
    Target(
        _all("scheduler.allocation.", "allocate device_picker idempotency leases"),
        _tests("integration/api", "allocating allocation_conflicts batches device_picker extending")
        + _tests("integration/api", "idempotency_key releasing reservations")
        + _WAITING,
        pure=False,
    ),
    Target(
        _all("scheduler.allocation.", "reservation_book reservation_start"),
        _tests("integration/api", "reservations reservation_conflicts")
        + _tests("integration/housekeeping", "start_reservations"),
        pure=False,
    ),
    Target(
        ("scheduler.allocation.waiting_line",),
        (*_WAITING, *_tests("integration/housekeeping", "waiting_line")),
        pure=False,
    ),
)


def selected(prefixes: tuple[str, ...]) -> Iterator[tuple[list[Module], Target]]:
    """Yield the targets with those of their modules whose names begin with one of the prefixes.

    Raises:
        FileNotFoundError: a module of `TARGETS` does not exist.
    """
    for target in TARGETS:
        found = [module for name in target.modules for module in _modules(name)]
        some = [one for one in found if not prefixes or one.name.startswith(prefixes)]
        if some:
            yield some, target


def _modules(name: str) -> Iterator[Module]:
    """Yield a module, or those of a package."""
    relative = name.replace(".", "/")
    found = next((root / relative for root in _ROOTS if (root / relative).is_dir()), None)
    if found is None:
        yield Module(name, _file(f"{relative}.py"))
        return
    for file in sorted(found.glob("*.py")):
        if file.stem != "__init__":
            yield Module(f"{name}.{file.stem}", file)


def _file(relative: str) -> Path:
    for root in _ROOTS:
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(relative)
