"""Lets the logs of a created broker and database expire; AWS would keep them indefinitely."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_logger = service_logger()


def expire_logs(settings: ProvisioningSettings) -> None:
    """Set the retention of the log groups, and create those that do not exist yet.

    CloudFormation cannot do this: the services create the groups themselves, at an unknown time. A
    failure is only logged, because everything works without.
    """
    import boto3  # noqa: PLC0415 - heavy, and only this needs it
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    logs = boto3.client("logs")
    for group in filter(None, settings.log_groups.split(",")):
        try:
            with suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=group)
            logs.put_retention_policy(
                logGroupName=group, retentionInDays=settings.log_retention_days
            )
        except (BotoCoreError, ClientError) as error:
            details = {"group": group, "error": str(error)}
            _logger.warning("The logs do not expire", extra=details)
