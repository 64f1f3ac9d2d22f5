"""What `make preflight` reads from template and samconfig.toml is what will be made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from local.paths import ROOT
from operations.errors import InvalidInputError
from ops.preflight import deployment
from ops.preflight.deployment import (
    BROKER_VERSION,
    DATABASE_VERSION,
    OTHER_CONNECTIONS,
    Deployment,
)
from scheduler.messaging.topology import WORK_QUEUES

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = re.compile(r'^ +EngineVersion: "(.+)"', re.MULTILINE)
PROD = Deployment.of("prod")


def test_version_of_the_broker_is_that_of_the_template() -> None:
    text = (ROOT / "infrastructure" / "broker.yaml").read_text("utf-8")

    assert set(ENGINE.findall(text)) == {BROKER_VERSION}


def test_version_of_the_database_is_that_of_the_template() -> None:
    text = (ROOT / "infrastructure" / "database.yaml").read_text("utf-8")

    assert set(ENGINE.findall(text)) == {DATABASE_VERSION}


def test_other_database_connections_are_those_of_the_alarm() -> None:
    text = (ROOT / "infrastructure" / "operations.yaml").read_text("utf-8")

    assert f"connections / ({OTHER_CONNECTIONS} + ${{EventConnections}})" in text


def written(folder: Path, overrides: str, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Return the environment of a samconfig.toml with these parameters."""
    head = '[dev.global.parameters]\nstack_name = "dev"\nparameter_overrides = '
    (folder / "samconfig.toml").write_text(head + overrides)
    monkeypatch.setattr(deployment, "ROOT", folder)
    return Deployment.of("dev")


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ('["Shards=2" "EmailFrom=a@example.com"]', "samconfig.toml is not TOML: Unclosed array"),
        ('["AlarmMail=a@example.com"]', "which samconfig.toml sets: did you mean AlarmEmail?"),
        ('["a@example.com"]', "a@example.com in samconfig.toml is not of the form NAME=VALUE"),
    ],
)
def test_mistake_in_the_parameters_is_named(
    overrides: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        written(tmp_path, overrides, monkeypatch)


@pytest.mark.parametrize(
    "overrides", ['["Shards=2", "FilledShards=\\"\\""]', "'Shards=2 FilledShards=\"\"'"]
)
def test_parameters_are_a_list_or_a_text(
    overrides: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = written(tmp_path, overrides, monkeypatch).parameters

    assert (found["Shards"], found["FilledShards"]) == ("2", "")


def test_second_nat_gateway_needs_another_address() -> None:
    assert (Deployment.of("default").nat_gateways, PROD.nat_gateways) == (1, 2)


def test_reserved_concurrency_is_that_of_the_document() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    others = re.search(r"reserve (\d+) concurrent executions and one per", page)

    assert others
    assert PROD.reserved_concurrency == int(others[1]) + len(WORK_QUEUES)


def test_reserved_concurrency_follows_its_parameter() -> None:
    more = Deployment(PROD.stack_name, {**PROD.parameters, "EventConcurrency": "20"})

    assert more.reserved_concurrency == PROD.reserved_concurrency + 3 * (20 - 5)
