"""The function under test in its own process: the deployed rules and Consumer, with crash points.

Environment variables in addition to the deployed ones: FAULTS_QUEUE, FAULTS_FOLDER, FAULTS_SEED,
FAULTS_KILLS (in the whole drill) and FAULTS_WEAKNESS (of a negative control, else empty).
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Final

from scheduler.domain.brake import BrakeLimits
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, event_queue
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings, PaymentSettings
from tests.faults.crash_points import PAYMENT_POINTS, CrashPlan, CrashPoint, CrashTrigger
from tests.faults.crashing import (
    CrashingDatabase,
    CrashingLedger,
    CrashingPublisher,
    StepCursor,
)
from tests.faults.drill_plan import Weakness
from tests.faults.records import Commits, FunctionKills

if TYPE_CHECKING:
    from scheduler.pipeline.event_rules import EventRules

_QUEUE: Final = os.environ["FAULTS_QUEUE"]
_FAMILY: Final = WORK_QUEUE_BY_NAME[event_queue(_QUEUE)[0]].family
_WEAKNESS: Final = os.environ["FAULTS_WEAKNESS"]
_AFTER_RETURN_SECONDS: Final = 0.005

_folder = Path(os.environ["FAULTS_FOLDER"])
_kills = FunctionKills(_folder, int(os.environ["FAULTS_KILLS"]))
_commits = Commits(_folder)


def _trigger() -> CrashTrigger:
    points = [p for p in CrashPoint if _FAMILY == "billing" or p not in PAYMENT_POINTS]
    generation = sum(kill.queue == _QUEUE for kill in _kills.all())
    plan = CrashPlan.of(points, int(os.environ["FAULTS_SEED"]), _QUEUE, generation)
    return CrashTrigger(plan, lambda point: _kills.kill(_QUEUE, point))


def _rules_and_ledger(trigger: CrashTrigger) -> tuple[EventRules, CrashingLedger | None]:
    # Imported as needed: as deployed, only billing events import boto3.
    if _FAMILY == "billing":
        from billing_events.rules import billing_rules  # noqa: PLC0415 - only this family needs it
        from scheduler.payments.counter import payment_failures  # noqa: PLC0415 - only this family needs it

        settings = PaymentSettings.from_environment()
        ledger = CrashingLedger(payment_failures(settings), trigger)
        return billing_rules(settings.billing_failure_threshold), ledger
    if _FAMILY == "user":
        from user_events.rules import events as user_events  # noqa: PLC0415 - only this family needs it

        return user_events, None
    from device_events.rules import events as device_events  # noqa: PLC0415 - only this family needs it

    return device_events, None


def _cursor_and_publisher() -> tuple[type[StepCursor], type[CrashingPublisher]]:
    if not _WEAKNESS:
        return StepCursor, CrashingPublisher
    from tests.faults.weakened import weakened  # noqa: PLC0415 - only negative controls need it

    return weakened(Weakness(_WEAKNESS))


def _consumer(trigger: CrashTrigger) -> Consumer:
    settings = ConsumerSettings.from_environment()
    rules, ledger = _rules_and_ledger(trigger)
    cursor, publisher = _cursor_and_publisher()
    return Consumer(
        rules,
        settings,
        ledger=ledger,
        brake=BrakeLimits(share=1, devices=0) if _FAMILY == "device" else None,
        database=CrashingDatabase(settings, trigger, cursor, partial(_commits.add, _QUEUE)),
        publisher=publisher(settings, trigger),
    )


_TRIGGER: Final = _trigger()
_CONSUMER: Final = _consumer(_TRIGGER)


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch like the deployed handler; may be killed after it."""
    totals = _CONSUMER.handle(event, context)
    _TRIGGER.reach(CrashPoint.BEFORE_RETURN)
    dead = Timer(_AFTER_RETURN_SECONDS, _TRIGGER.reach, [CrashPoint.AFTER_RETURN])
    dead.daemon = True
    dead.start()
    return totals
