"""The function under test, as its own process: the deployed rules and Consumer, able to die.

The environment adds to the deployed variables: FAULTS_QUEUE, FAULTS_FOLDER, FAULTS_SEED,
FAULTS_KILLS (how many in the whole drill) and FAULTS_FORGETFUL (the negative control).
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Final

from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings, PaymentSettings
from tests.faults.crashing import (
    CrashingDatabase,
    CrashingLedger,
    CrashingPublisher,
    ForgetfulCursor,
    StepCursor,
)
from tests.faults.points import PAYMENT_POINTS, CrashPoint, DeathPlan, Fuse
from tests.faults.records import Commits, Deaths

if TYPE_CHECKING:
    from scheduler.pipeline.event_rules import EventRules

_QUEUE: Final = os.environ["FAULTS_QUEUE"]
_FAMILY: Final = WORK_QUEUE_BY_NAME[_QUEUE].family
_AFTER_RETURN_SECONDS: Final = 0.005

_folder = Path(os.environ["FAULTS_FOLDER"])
_deaths = Deaths(_folder, int(os.environ["FAULTS_KILLS"]))
_commits = Commits(_folder)


def _fuse() -> Fuse:
    points = [p for p in CrashPoint if _FAMILY == "billing" or p not in PAYMENT_POINTS]
    generation = sum(death.queue == _QUEUE for death in _deaths.all())
    plan = DeathPlan.of(points, int(os.environ["FAULTS_SEED"]), _QUEUE, generation)
    return Fuse(plan, lambda point: _deaths.die(_QUEUE, point))


def _rules_and_ledger(fuse: Fuse) -> tuple[EventRules, CrashingLedger | None]:
    # Imported as needed: a process of the device events does without boto3, as deployed.
    if _FAMILY == "billing":
        from billing_events.rules import billing_rules  # noqa: PLC0415
        from scheduler.payments.counter import payment_failures  # noqa: PLC0415

        settings = PaymentSettings.from_environment()
        ledger = CrashingLedger(payment_failures(settings), fuse)
        return billing_rules(settings.billing_failure_threshold), ledger
    if _FAMILY == "user":
        from user_events.rules import events as user_events  # noqa: PLC0415

        return user_events, None
    from device_events.rules import events as device_events  # noqa: PLC0415

    return device_events, None


def _consumer(fuse: Fuse) -> Consumer:
    settings = ConsumerSettings.from_environment()
    rules, ledger = _rules_and_ledger(fuse)
    cursor = ForgetfulCursor if os.environ.get("FAULTS_FORGETFUL") else StepCursor
    return Consumer(
        rules,
        settings,
        ledger=ledger,
        database=CrashingDatabase(settings, fuse, cursor, partial(_commits.note, _QUEUE)),
        publisher=CrashingPublisher(settings, fuse),
    )


_FUSE: Final = _fuse()
_CONSUMER: Final = _consumer(_FUSE)


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch like the deployed handler, and perhaps die after it."""
    totals = _CONSUMER.handle(event, context)
    _FUSE.reach(CrashPoint.BEFORE_RETURN)
    dead = Timer(_AFTER_RETURN_SECONDS, _FUSE.reach, [CrashPoint.AFTER_RETURN])
    dead.daemon = True
    dead.start()
    return totals
