"""Lambda handler of the custom resource ``Provisioning``."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from provisioning.broker_accounts import create_accounts
from provisioning.broker_topology import declare_topology
from provisioning.custom_resource import ResourceRequest
from provisioning.database_account import create_database_accounts
from provisioning.database_server import check_server
from provisioning.log_retention import expire_logs
from provisioning.settings import ProvisioningSettings
from scheduler.database.migrate import migrate
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.utilities.typing import LambdaContext

_RESERVED_SECONDS: Final = 20.0
"""Kept to answer CloudFormation, which otherwise waits until its own timeout."""

_logger = service_logger()


def handler(event: object, context: LambdaContext) -> None:
    """Provision on create and update; do nothing on delete.

    CloudFormation receives any error as the reason why the resource failed. Operators invoke the
    function without an event, to restore what somebody has deleted; they receive any error.
    """
    limit = context.get_remaining_time_in_millis() / 1000 - _RESERVED_SECONDS
    if not event:
        with _time_limit(limit):
            provision()
        return
    request = ResourceRequest.model_validate(event)
    try:
        if not request.is_delete:
            with _time_limit(limit):
                provision()
    except Exception as error:
        _logger.exception("Provisioning failed")
        request.answer(f"{error} ({type(error).__name__}; log stream {context.log_stream_name})")
    else:
        request.answer()


def provision() -> None:
    """Migrate the schema, create the accounts and declare the topology; idempotent."""
    settings = ProvisioningSettings.from_environment()
    check_server(settings)
    applied = migrate(settings)
    create_database_accounts(settings)
    declare_topology(settings)
    create_accounts(settings)
    expire_logs(settings)
    _logger.info("Provisioned", extra={"migrations": applied})


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in the block when its time is over. Main thread only."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise TimeoutError(
            f"not done after {seconds:.0f} s; can the function reach database and broker?"
        )

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
