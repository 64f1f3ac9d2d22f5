"""The logs of a created broker and database expire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from provisioning.log_retention import expire_logs
from provisioning.settings import ProvisioningSettings

if TYPE_CHECKING:
    import pytest

MISSING = "/aws/rds/instance/db/error"
EXISTING = "/aws/amazonmq/broker/b-1/general"


def expire(monkeypatch: pytest.MonkeyPatch, groups: str, days: str = "7") -> None:
    monkeypatch.setenv("LOG_GROUPS", groups)
    monkeypatch.setenv("LOG_RETENTION_DAYS", days)
    expire_logs(ProvisioningSettings.from_environment())


def test_existing_and_missing_groups_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=EXISTING)

    expire(monkeypatch, f"{EXISTING},{MISSING}")

    found = logs.describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
    assert {one["logGroupName"]: one["retentionInDays"] for one in found} == {
        EXISTING: 7,
        MISSING: 7,
    }
    for group in (EXISTING, MISSING):
        logs.delete_log_group(logGroupName=group)


def test_nothing_is_set_for_existing_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    expire(monkeypatch, ",")

    assert boto3.client("logs").describe_log_groups()["logGroups"] == []


def test_refusal_does_not_fail_the_deployment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    expire(monkeypatch, MISSING)

    assert "The logs do not expire" in caplog.text
