"""Deployments that cannot succeed are refused before CloudFormation makes anything."""

import re
from collections import Counter
from typing import Any

import boto3
import pytest
from cryptography import x509

from local.paths import ROOT
from ops.preflight.deployment import Deployment
from scheduler.messaging.topology import WORK_QUEUES
from scheduler.settings import MAX_SHARDS
from tests.template.rules import broken_rules

REGION = "us-east-1"
NETWORK = {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:broker-a1b2c3"  # noqa: S105 - its name
BROKER = {
    "BrokerArn": "arn:aws:mq:us-east-1:123456789012:broker:mine:b-1",
    "BrokerEndpoint": "amqps://b-1.mq.us-east-1.on.aws:5671",
    "BrokerSecretArn": SECRET,
}
DATABASE = {
    "DatabaseEndpoint": "db.example.com:3306",
    "DatabaseAdminSecretArn": SECRET,
    "DatabaseResourceId": "db-1",
}
ISSUER = {"JwtIssuer": "https://id.example.com", "JwtAudience": "app"}
WITHOUT_FUNCTION_URLS = {
    *("ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6"),
    *("ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-2", "il-central-1", "me-central-1"),
}
VALUES = {
    "AdminValue": (("cloudphone:admin", "true"), ("a b", "a" * 129)),
    "AlarmEmail": (("ops@example.com",), ("ops", "a@b, c@d")),
    "CorsOrigin": (
        ("https://app.example.com", "http://localhost:3000"),
        ("app.example.com", "https://a.example/"),
    ),
    "DatabaseInstanceClass": (("db.r6id.2xlarge",), ("t4g.medium", "db.t4g", "")),
    "DatabaseName": (
        ("cloudphone_2", "A" * 64),
        ("2_cloudphone", "_a", "cloud-phone", "a" * 65, ""),
    ),
    "DatabaseResourceId": (("db-ABCDEFGHIJKL01234", "cluster-AB1"), ("mydb", "db-")),
    "DatabaseUser": (("scheduler", "2_a"), ("a-b", "a" * 81, "")),
    "MetricsNamespace": (("CloudPhone/SchedulerDev",), ("AWS/Lambda", "a" * 256, "")),
    "PaymentFailuresTableName": (("dev.payment_failures-2",), ("ab", "a b", "a" * 256)),
    "RealtimeConnectionsTableName": (("dev-realtime-connections",), ("ab", "a/b", "a" * 256)),
    "RealtimeTicketsTableName": (("dev-realtime-tickets",), ("ab", "a/b", "a" * 256)),
    "SmsSenderId": (("CloudPhone1", "24-A"), ("12345", "-", "a" * 12, "Cloud Phone")),
    "VpcId": (("vpc-0123456789abcdef0",), ("subnet-1", "vpc-")),
}
"""What a service accepts of a parameter, and what it refuses."""
OWN_ROOTS = {"DatabaseCaFile": "/opt/python/my-ca.pem"}
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")


def all_regions() -> list[str]:
    """Return the regions of RDS that botocore knows; the secret ones cannot be had here."""
    session = boto3.session.Session()
    return [region for name in PARTITIONS for region in session.get_available_regions("rds", name)]


def regions_with_roots() -> set[str]:
    bundle = (ROOT / "layers/scheduler/rds-ca.pem").read_bytes()
    names = [one.subject.rfc4514_string() for one in x509.load_pem_x509_certificates(bundle)]
    found = (re.search(r"CN=Amazon RDS (\S+) Root CA RSA2048 G1", name) for name in names)
    return {match[1] for match in found if match}


@pytest.fixture(scope="module")
def template(expanded: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return expanded["template"]


def test_defaults_break_no_rule(template: dict[str, Any]) -> None:
    assert broken_rules(template, REGION) == set()


@pytest.mark.parametrize("environment", ["default", "prod"])
def test_environments_of_samconfig_break_no_rule(
    template: dict[str, Any], environment: str
) -> None:
    assert broken_rules(template, REGION, **Deployment.of(environment).parameters) == set()


@pytest.mark.parametrize("region", all_regions())
def test_region_is_refused_unless_the_database_can_be_verified_in_it(
    template: dict[str, Any], region: str
) -> None:
    refused = "RegionOfCertificates" in broken_rules(template, region)

    assert refused == (region not in regions_with_roots())


def test_regions_with_and_without_roots_are_both_tested() -> None:
    assert {"us-east-1", "eu-central-1"} <= set(all_regions()) & regions_with_roots()
    assert {"cn-north-1", "us-gov-west-1"} <= set(all_regions()) - regions_with_roots()


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-gov-east-1", "eu-west-1"])
def test_own_roots_are_accepted_in_every_region(template: dict[str, Any], region: str) -> None:
    assert broken_rules(template, region, **OWN_ROOTS) == set()


@pytest.mark.parametrize("region", all_regions())
def test_region_is_refused_if_the_operations_function_can_have_no_url(
    template: dict[str, Any], region: str
) -> None:
    """docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html lists them."""
    refused = "RegionOfFunctionUrls" in broken_rules(template, region)

    assert refused == (region in WITHOUT_FUNCTION_URLS)


@pytest.mark.parametrize("region", all_regions())
def test_region_without_user_pools_needs_an_identity_provider(
    template: dict[str, Any], region: str
) -> None:
    partition = boto3.session.Session().get_partition_for_region(region)
    pools = boto3.session.Session().get_available_regions("cognito-idp", partition)

    refused = "IdentityProviderOfRegion" in broken_rules(template, region)

    assert refused == (not pools)
    assert "IdentityProviderOfRegion" not in broken_rules(template, region, **ISSUER)


@pytest.mark.parametrize("part", [BROKER, DATABASE, {**BROKER, **DATABASE}])
def test_existing_broker_or_database_requires_its_network(
    template: dict[str, Any], part: dict[str, str]
) -> None:
    assert broken_rules(template, REGION, **part) == {"NetworkOfExistingParts"}
    assert broken_rules(template, REGION, **part, **NETWORK) == set()


@pytest.mark.parametrize("part", [NETWORK, {**BROKER, **NETWORK}, {**DATABASE, **NETWORK}])
def test_incomplete_part_is_refused(template: dict[str, Any], part: dict[str, str]) -> None:
    alone = {"DatabaseResourceId"}  # or DatabaseSecretArn
    for missing in part.keys() - {"VpcId", "BrokerArn", "DatabaseEndpoint"} | alone & part.keys():
        incomplete = {name: value for name, value in part.items() if name != missing}

        assert broken_rules(template, REGION, **incomplete), missing


def test_cluster_needs_larger_nodes(template: dict[str, Any]) -> None:
    several = {"HighAvailability": "true"}

    assert broken_rules(template, REGION, **several) == {"BrokerOfSeveralZones"}
    assert broken_rules(template, REGION, **several, BrokerInstanceType="mq.m7g.large") == set()
    assert broken_rules(template, REGION, **several, **BROKER, **NETWORK) == set()


def test_issuer_without_audience_is_refused(template: dict[str, Any]) -> None:
    assert broken_rules(template, REGION, JwtIssuer="https://id.example.com") == {
        "IdentityProvider"
    }


@pytest.mark.parametrize("shards", range(1, 5))
def test_no_more_shards_are_filled_than_exist(template: dict[str, Any], shards: int) -> None:
    refused = [
        filled
        for filled in ("", "1", "2", "3")
        if broken_rules(template, REGION, Shards=str(shards), FilledShards=filled)
    ]

    assert refused == [one for one in ("1", "2", "3") if int(one) > shards]


@pytest.mark.parametrize("shards", range(1, MAX_SHARDS + 1))
def test_no_function_has_fewer_environments_than_queues(
    template: dict[str, Any], shards: int
) -> None:
    refused = [
        one
        for one in range(100)
        if broken_rules(template, REGION, Shards=str(shards), EventConcurrency=str(one))
    ]

    most = max(Counter(queue.family for queue in WORK_QUEUES).values())
    assert refused == list(range(1, most * shards))


def accepts(template: dict[str, Any], parameter: str, value: str) -> bool:
    return bool(re.fullmatch(template["Parameters"][parameter]["AllowedPattern"], value))


@pytest.mark.parametrize("parameter", VALUES)
def test_values_that_a_service_would_refuse_are_refused_first(
    template: dict[str, Any], parameter: str
) -> None:
    good, bad = VALUES[parameter]

    default = template["Parameters"][parameter].get("Default")
    assert [
        one
        for one in (*good, *([] if default is None else [default]))
        if not accepts(template, parameter, one)
    ] == []
    assert [one for one in bad if accepts(template, parameter, one)] == []


def test_every_text_has_values_a_pattern_or_any_value(template: dict[str, Any]) -> None:
    limits = {"AllowedValues", "AllowedPattern"}
    texts = {name: one for name, one in template["Parameters"].items() if one["Type"] == "String"}

    assert {name for name, one in texts.items() if not limits.intersection(one)} == {"AdminClaim"}


def test_certificates_cannot_be_switched_off(template: dict[str, Any]) -> None:
    assert accepts(template, "DatabaseCaFile", template["Parameters"]["DatabaseCaFile"]["Default"])
    assert not accepts(template, "DatabaseCaFile", "")


@pytest.mark.parametrize(
    "parameter", ["BrokerSecretArn", "DatabaseAdminSecretArn", "DatabaseSecretArn"]
)
def test_secret_needs_its_complete_arn(template: dict[str, Any], parameter: str) -> None:
    """A policy with an ARN without the six random characters allows nothing."""
    assert accepts(template, parameter, SECRET)
    assert accepts(template, parameter, "")
    assert not accepts(template, parameter, SECRET.removesuffix("-a1b2c3"))
    assert not accepts(template, parameter, "broker")


def test_sender_of_emails_has_no_default(template: dict[str, Any]) -> None:
    assert "Default" not in template["Parameters"]["EmailFrom"]
    assert not accepts(template, "EmailFrom", "")
