"""Each check of `make preflight` is green, or red with what to do; responses are botocore stubs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from local.paths import ROOT
from operations.errors import InvalidInputError
from ops.preflight import deployment
from ops.preflight.checks import CHECKS, Account, CheckResult, run
from ops.preflight.deployment import BROKER_VERSION, OTHER_CONNECTIONS, Deployment
from scheduler.messaging.topology import WORK_QUEUES

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = re.compile(r'^ +EngineVersion: "(.+)"', re.MULTILINE)
PROD = Deployment.of("prod")


def limits(free: int, account: int = 1000) -> list[tuple[str, str, Any]]:
    found = {"ConcurrentExecutions": account, "UnreservedConcurrentExecutions": free}
    return [("lambda", "get_account_settings", {"AccountLimit": found})]


def identity(*, verified: bool) -> tuple[str, str, Any]:
    return ("sesv2", "get_email_identity", {"VerifiedForSendingStatus": verified})


def missing(service: str, operation: str, code: str) -> tuple[str, str, Any]:
    return (service, operation, code)


def in_use(kind: str, used: int, allowed: int) -> list[tuple[str, str, Any]]:
    operation, key = {
        "addresses": ("describe_addresses", "Addresses"),
        "networks": ("describe_vpcs", "Vpcs"),
    }[kind]
    return [
        ("ec2", operation, {key: [{}] * used}),
        ("service-quotas", "get_service_quota", {"Quota": {"Value": float(allowed)}}),
    ]


def offered(*versions: str) -> list[tuple[str, str, Any]]:
    options = [{"SupportedEngineVersions": list(versions)}]
    return [("mq", "describe_broker_instance_options", {"BrokerInstanceOptions": options})]


def spending(limit: str) -> list[tuple[str, str, Any]]:
    return [("sns", "get_sms_attributes", {"attributes": {"MonthlySpendLimit": limit}})]


def sandbox(*, inside: bool) -> list[tuple[str, str, Any]]:
    return [("sns", "get_sms_sandbox_account_status", {"IsInSandbox": inside})]


def production(*, access: bool) -> list[tuple[str, str, Any]]:
    return [("sesv2", "get_account", {"ProductionAccessEnabled": access})]


NO_TABLE = missing("dynamodb", "describe_table", "ResourceNotFoundException")
NO_IDENTITY = missing("sesv2", "get_email_identity", "NotFoundException")
NO_QUOTA = missing("service-quotas", "get_service_quota", "NoSuchResourceException")
DEFAULT_QUOTA = ("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 5.0}})

GREEN = [
    ("concurrency", limits(1000)),
    ("sender", [identity(verified=True)]),
    ("sender", [NO_IDENTITY, NO_IDENTITY, identity(verified=True)]),
    ("email-sandbox", production(access=True)),
    ("text-sandbox", sandbox(inside=False)),
    ("text-spending", spending("1")),
    ("addresses", in_use("addresses", 3, 5)),
    ("networks", in_use("networks", 4, 5)),
    ("networks", [in_use("networks", 4, 5)[0], NO_QUOTA, DEFAULT_QUOTA]),
    ("tables", [NO_TABLE] * 3),
    ("broker-version", offered("3.13", "4.2")),
]
RED = [
    ("concurrency", limits(10), "raise Lambda's quota"),
    ("sender", [NO_IDENTITY] * 3, "create-email-identity"),
    ("sender", [identity(verified=False)] * 3, "create-email-identity"),
    ("email-sandbox", production(access=False), "request production access"),
    ("text-sandbox", sandbox(inside=True), "leave the sandbox"),
    ("text-spending", spending("50"), "set SmsSpendLimit"),
    ("addresses", in_use("addresses", 4, 5), "release some, or raise the quota"),
    ("networks", in_use("networks", 5, 5), "release some, or raise the quota"),
    ("tables", [NO_TABLE, ("dynamodb", "describe_table", {}), NO_TABLE], "set other names"),
    ("broker-version", offered("3.13"), "set BrokerInstanceType"),
]

WITHOUT_AWS = {"region", "database-connections"}
"""Checks that ask AWS nothing, with tests of their own."""


def check(
    name: str,
    answers: list[tuple[str, str, Any]],
    region: str = "us-east-1",
    *,
    stack_exists: bool = False,
    **given: str,
) -> CheckResult:
    """Run a check against stubbed responses; a text is the code of an error."""
    stubs: dict[str, Stubber] = {}
    for service, operation, answer in answers:
        if service not in stubs:
            client = boto3.client(  # type: ignore[call-overload]  # the stubs want a literal
                service,
                region_name=region,
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )
            stubs[service] = Stubber(client)
        if isinstance(answer, str):
            stubs[service].add_client_error(operation, answer)
        else:
            stubs[service].add_response(operation, answer)
    for stub in stubs.values():
        stub.activate()
    parameters = {**PROD.parameters, "EmailFrom": "no-reply@mail.example.com", **given}
    account = Account(region, lambda service: stubs[service].client, stack_exists)
    return run(name, account, Deployment(PROD.stack_name, parameters))


@pytest.mark.parametrize(("name", "answers"), GREEN)
def test_ready_account_is_green(name: str, answers: list[tuple[str, str, Any]]) -> None:
    assert check(name, answers).ok


@pytest.mark.parametrize(("name", "answers", "advice"), RED)
def test_unready_account_is_red_with_what_to_do(
    name: str, answers: list[tuple[str, str, Any]], advice: str
) -> None:
    found = check(name, answers)

    assert not found.ok
    assert advice in found.text


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("concurrency", limits(10)),  # of which the stack itself has reserved the others
        ("addresses", in_use("addresses", 5, 5)),
        ("networks", in_use("networks", 5, 5)),
        ("tables", [("dynamodb", "describe_table", {})] * 3),
    ],
)
def test_what_the_stack_itself_uses_is_only_wrong_before_its_first_deployment(
    name: str, answers: list[tuple[str, str, Any]]
) -> None:
    assert not check(name, answers).ok
    assert check(name, answers, stack_exists=True).ok


def test_existing_stack_needs_the_concurrency_of_the_whole_account() -> None:
    assert not check("concurrency", limits(10, account=100), stack_exists=True).ok


@pytest.mark.parametrize(("region", "ready"), [("us-east-1", True), ("cn-north-1", False)])
def test_region_needs_certificates(region: str, ready: bool) -> None:  # noqa: FBT001 - expected
    assert check("region", [], region).ok == ready
    assert check("region", [], region, DatabaseCaFile="/opt/python/my-ca.pem").ok


@pytest.mark.parametrize(("accepted", "ready"), [("306", True), ("305", False)])
def test_environments_need_database_connections(accepted: str, ready: bool) -> None:  # noqa: FBT001 - expected
    name = "database-connections"

    found = check(name, [], EventConcurrency="60", DatabaseConnections=accepted)

    assert found.ok == ready
    assert ("raise DatabaseConnections" in found.text) != ready
    assert check(name, [], EventConcurrency="60", DatabaseEndpoint="db.example.com:3306").ok


def test_missing_sender_is_red() -> None:
    found = check("sender", [], EmailFrom="")

    assert not found.ok
    assert "EmailFrom" in found.text


@pytest.mark.parametrize("name", [name for name, _ in GREEN])
def test_refused_question_is_red_with_the_reason(name: str) -> None:
    service, operation, _ = next(answers[0] for one, answers in GREEN if one == name)

    found = check(name, [(service, operation, "AccessDeniedException")])

    assert not found.ok
    assert "AccessDeniedException" in found.text


def test_every_check_is_tested_green_and_red() -> None:
    assert {name for name, _ in GREEN} | WITHOUT_AWS == set(CHECKS)
    assert {name for name, _, _ in RED} | WITHOUT_AWS == set(CHECKS)


def test_version_of_the_broker_is_that_of_the_template() -> None:
    text = (ROOT / "infrastructure" / "broker.yaml").read_text("utf-8")

    assert set(ENGINE.findall(text)) == {BROKER_VERSION}


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
        ('["AlarmMail=a@example.com"]', "template.yaml has no parameter AlarmMail"),
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
