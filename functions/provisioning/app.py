"""Lambda handler of the custom resource ``Provisioning``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from provisioning.account import create_account
from provisioning.broker import declare_topology
from provisioning.request import Request
from provisioning.settings import ProvisioningSettings
from provisioning.time_limit import time_limit
from scheduler.database.migrate import migrate

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_TO_ANSWER = 20.0
"""Seconds kept for the answer: without one the stack waits until its own timeout."""

_logger = Logger()


def handler(event: object, context: LambdaContext) -> None:
    """Create and update make everything ready; delete leaves everything as it is.

    Whatever goes wrong is CloudFormation's to know, as the reason of a failed resource.
    """
    request = Request.model_validate(event)
    try:
        if request.wants_resource:
            with time_limit(context.get_remaining_time_in_millis() / 1000 - _TO_ANSWER):
                provision()
    except Exception as error:
        _logger.exception("Provisioning failed")
        request.answer(f"{error} ({type(error).__name__}; log stream {context.log_stream_name})")
    else:
        request.answer()


def provision() -> None:
    """Bring schema, account and topology up to date; harmless when they are."""
    settings = ProvisioningSettings.from_environment()
    applied = migrate(settings)
    create_account(settings)
    declare_topology(settings)
    _logger.info("Provisioned", extra={"migrations": applied})
