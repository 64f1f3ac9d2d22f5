"""Each check of `make preflight` is green, or red with what to do; responses are botocore stubs."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.preflight.checks import CHECKS, Account, CheckResult, run
from ops.preflight.deployment import Deployment

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


def orderable(version: str = "10.11.9", **without: bool | str) -> list[tuple[str, str, Any]]:
    option = {
        "EngineVersion": version,
        "StorageType": "gp3",
        "MultiAZCapable": True,
        "SupportsIAMDatabaseAuthentication": True,
        "SupportsPerformanceInsights": True,
        **without,
    }
    answer = {"OrderableDBInstanceOptions": [option]}
    return [("rds", "describe_orderable_db_instance_options", answer)]


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
    ("database-version", orderable()),
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
    ("database-version", orderable("10.6.21"), "set DatabaseInstanceClass"),
    ("database-version", orderable(StorageType="gp2"), "set DatabaseInstanceClass"),
    ("database-version", orderable(MultiAZCapable=False), "set DatabaseInstanceClass"),
    (
        "database-version",
        orderable(SupportsPerformanceInsights=False),
        "set DatabaseInstanceClass",
    ),
    (
        "database-version",
        orderable(SupportsIAMDatabaseAuthentication=False),
        "set DatabaseInstanceClass",
    ),
]

WITHOUT_AWS = {"region", "stack-name", "database-connections"}
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


@pytest.mark.parametrize(("region", "ready"), [("us-east-1", True), ("us-gov-west-1", False)])
def test_region_needs_certificates(region: str, ready: bool) -> None:  # noqa: FBT001 - expected
    assert check("region", [], region).ok == ready
    assert check("region", [], region, DatabaseCaFile="/opt/python/my-ca.pem").ok


def test_region_without_function_urls_is_red() -> None:
    found = check("region", [], "eu-south-2")

    assert not found.ok
    assert "no function URLs in eu-south-2" in found.text


def test_region_without_user_pools_needs_an_issuer() -> None:
    roots = "/opt/python/my-ca.pem"
    issuer = "https://id.example.com"

    found = check("region", [], "cn-north-1", DatabaseCaFile=roots)

    assert not found.ok
    assert "set JwtIssuer" in found.text
    assert check("region", [], "cn-north-1", DatabaseCaFile=roots, JwtIssuer=issuer).ok


@pytest.mark.parametrize(("length", "ready"), [(42, True), (43, False)])
def test_name_of_the_stack_leaves_room_for_those_of_the_functions(
    length: int,
    ready: bool,  # noqa: FBT001 - expected
) -> None:
    account = Account("us-east-1", client=str, stack_exists=False)  # asks AWS nothing

    found = run("stack-name", account, Deployment("s" * length, PROD.parameters))

    assert found.ok == ready
    assert ("set a shorter stack_name" in found.text) != ready


def test_single_zone_needs_no_instance_class_for_several() -> None:
    assert check("database-version", orderable(MultiAZCapable=False), HighAvailability="false").ok


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
