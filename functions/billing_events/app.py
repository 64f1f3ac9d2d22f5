"""Lambda handler of the billing events."""

from __future__ import annotations

from billing_events.rules import billing_rules
from scheduler.observability.logger import begin_invocation
from scheduler.payments.counter import payment_failures
from scheduler.payments.ledger import PaymentLedger
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings, PaymentSettings


class BillingSettings(ConsumerSettings, PaymentSettings):
    """The environment variables of the function."""


_settings = BillingSettings.from_environment()
_consumer = Consumer(
    billing_rules(_settings.billing_failure_threshold),
    _settings,
    ledger=PaymentLedger(payment_failures(_settings)),
)


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch of one queue; returning acknowledges it."""
    begin_invocation(context)
    return _consumer.handle(event, context)
