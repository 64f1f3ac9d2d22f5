"""The checks. Each returns what is wrong and what to do, or that all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ops.aws_session import AWS_ERRORS
from ops.preflight.deployment import (
    BROKER_VERSION,
    DATABASE_VERSION,
    UNRESERVED,
    regions_with_roots,
    regions_without_function_urls,
    regions_without_user_pools,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ops.preflight.deployment import Deployment

_ADDRESSES_QUOTA: Final = ("ec2", "L-0263D0A3")
_VPCS_QUOTA: Final = ("vpc", "L-F678F1CE")
_OWN_ROOTS: Final = "docs/operations.md, The database's certificate authority"
_MAX_FUNCTION_NAME: Final = 64


class CheckResult(NamedTuple):
    """The result of a check."""

    ok: bool
    text: str
    """What was found; if it is wrong, also what to do."""


class Account(NamedTuple):
    """The account to deploy to."""

    region: str
    client: Callable[[str], Any]
    """Returns the boto3 client of a service."""
    stack_exists: bool
    """Whether the stack has been deployed, so that its resources exist."""


def region(account: Account, deployment: Deployment) -> CheckResult:
    """Check that the region has what the stack needs, and that the database can be verified."""
    if account.region in regions_without_function_urls():
        return CheckResult(
            ok=False, text=f"Lambda has no function URLs in {account.region}: choose another region"
        )
    if account.region in regions_without_user_pools() and not deployment.parameters["JwtIssuer"]:
        return CheckResult(
            ok=False,
            text=f"Cognito has no user pools in {account.region}: set JwtIssuer and JwtAudience",
        )
    own = deployment.parameters["DatabaseCaFile"] != "/opt/python/rds-ca.pem"
    if own or account.region in regions_with_roots():
        return CheckResult(ok=True, text=f"{account.region} has certificates")
    return CheckResult(
        ok=False, text=f"rds-ca.pem has no roots of {account.region}: add them ({_OWN_ROOTS})"
    )


def stack_name(_: Account, deployment: Deployment) -> CheckResult:
    """Check that the names of the functions, which begin with the stack's, are short enough."""
    longest = max(deployment.function_names, key=len)
    if len(longest) <= _MAX_FUNCTION_NAME:
        return CheckResult(ok=True, text=f"the functions are called {deployment.stack_name}-…")
    return CheckResult(
        ok=False,
        text=f"the name of the function {longest} has {len(longest)} characters, more than"
        f" {_MAX_FUNCTION_NAME}: set a shorter stack_name",
    )


def concurrency(account: Account, deployment: Deployment) -> CheckResult:
    """Check that Lambda allows the executions that the functions reserve."""
    limits = account.client("lambda").get_account_settings()["AccountLimit"]
    name = "ConcurrentExecutions" if account.stack_exists else "UnreservedConcurrentExecutions"
    free, needed = limits[name], deployment.reserved_concurrency + UNRESERVED
    text = f"{free} concurrent executions of Lambda, {needed} needed"
    if free >= needed:
        return CheckResult(ok=True, text=text)
    return CheckResult(
        ok=False, text=f"{text}: raise Lambda's quota Concurrent executions in Service Quotas"
    )


def database_connections(_: Account, deployment: Deployment) -> CheckResult:
    """Check that a created database accepts the connections of the functions."""
    if deployment.parameters["DatabaseEndpoint"]:
        return CheckResult(ok=True, text="the database exists")
    accepted, needed = deployment.parameters["DatabaseConnections"], deployment.database_connections
    text = f"{accepted} database connections, {needed} needed"
    if int(accepted) > needed:
        return CheckResult(ok=True, text=text)
    return CheckResult(
        ok=False,
        text=f"{text}: raise DatabaseConnections, and DatabaseInstanceClass, or lower"
        " EventConcurrency",
    )


def sender(account: Account, deployment: Deployment) -> CheckResult:
    """Check that SES accepts the sender of e-mails."""
    address = deployment.parameters.get("EmailFrom")
    if not address:
        return CheckResult(
            ok=False,
            text='EmailFrom is missing: add "EmailFrom=…" to parameter_overrides in samconfig.toml,'
            f" where stack_name is {deployment.stack_name}",
        )
    ses = account.client("sesv2")
    for identity in _identities(address):
        try:
            found = ses.get_email_identity(EmailIdentity=identity)
        except ses.exceptions.NotFoundException:
            continue
        if found.get("VerifiedForSendingStatus"):
            return CheckResult(ok=True, text=f"SES has verified {identity}")
    return CheckResult(
        ok=False,
        text=f"SES has not verified {address}: aws sesv2 create-email-identity --email-identity …",
    )


def _identities(address: str) -> Iterator[str]:
    yield address
    domain = address.partition("@")[2]
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]


def email_sandbox(account: Account, _: Deployment) -> CheckResult:
    """Check that SES sends to everybody."""
    if account.client("sesv2").get_account().get("ProductionAccessEnabled"):
        return CheckResult(ok=True, text="SES sends to all addresses")
    return CheckResult(
        ok=False, text="SES only sends to verified addresses: request production access in SES"
    )


def text_sandbox(account: Account, _: Deployment) -> CheckResult:
    """Check that SNS sends text messages to everybody."""
    if not account.client("sns").get_sms_sandbox_account_status()["IsInSandbox"]:
        return CheckResult(ok=True, text="SNS sends text messages to all numbers")
    return CheckResult(
        ok=False,
        text="SNS only sends text messages to verified numbers: leave the sandbox in its console",
    )


def text_spending(account: Account, deployment: Deployment) -> CheckResult:
    """Check that the alarm knows the account's limit for text messages."""
    wanted = ["MonthlySpendLimit"]
    found = account.client("sns").get_sms_attributes(attributes=wanted)["attributes"]
    limit = int(found.get("MonthlySpendLimit", 1))
    known = int(deployment.parameters["SmsSpendLimit"])
    if limit == known:
        return CheckResult(ok=True, text=f"text messages may cost {limit} $ a month")
    return CheckResult(
        ok=False,
        text=f"text messages may cost {limit} $ a month: set SmsSpendLimit to it, now {known}",
    )


def addresses(account: Account, deployment: Deployment) -> CheckResult:
    """Check that there are Elastic IPs for the NAT gateways."""
    used = len(account.client("ec2").describe_addresses()["Addresses"])
    wanted = 0 if account.stack_exists else deployment.nat_gateways
    return _quota(account, _ADDRESSES_QUOTA, "Elastic IPs", used, wanted)


def networks(account: Account, deployment: Deployment) -> CheckResult:
    """Check that another VPC may be made."""
    used = len(account.client("ec2").describe_vpcs()["Vpcs"])
    wanted = 0 if account.stack_exists or deployment.parameters["VpcId"] else 1
    return _quota(account, _VPCS_QUOTA, "VPCs", used, wanted)


def _quota(
    account: Account, quota: tuple[str, str], what: str, used: int, wanted: int
) -> CheckResult:
    service, code = quota
    client = account.client("service-quotas")
    try:
        found = client.get_service_quota(ServiceCode=service, QuotaCode=code)
    except client.exceptions.NoSuchResourceException:  # never changed
        found = client.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    allowed = int(found["Quota"]["Value"])
    text = f"{used} of {allowed} {what} in use, {wanted} needed"
    if used + wanted <= allowed or not wanted:
        return CheckResult(ok=True, text=text)
    return CheckResult(ok=False, text=f"{text}: release some, or raise the quota in Service Quotas")


def tables(account: Account, deployment: Deployment) -> CheckResult:
    """Check that no other stack has the names of the tables."""
    if account.stack_exists:
        return CheckResult(ok=True, text="the stack exists with its tables")
    dynamodb = account.client("dynamodb")
    taken = [name for name in deployment.table_names if _exists(dynamodb, name)]
    if not taken:
        return CheckResult(ok=True, text="the names of the tables are free")
    return CheckResult(
        ok=False,
        text=f"there are tables {', '.join(taken)}: set other names (…TableName), or delete them",
    )


def _exists(dynamodb: Any, name: str) -> bool:  # noqa: ANN401 - a client without types
    try:
        dynamodb.describe_table(TableName=name)
    except dynamodb.exceptions.ResourceNotFoundException:
        return False
    return True


def broker_version(account: Account, deployment: Deployment) -> CheckResult:
    """Check that the region offers the version and the instance type of the broker."""
    kind = deployment.parameters["BrokerInstanceType"]
    if deployment.parameters["BrokerArn"]:
        return CheckResult(ok=True, text="the broker exists")
    options = account.client("mq").describe_broker_instance_options(
        EngineType="RABBITMQ", HostInstanceType=kind
    )["BrokerInstanceOptions"]
    versions = {version for one in options for version in one.get("SupportedEngineVersions", ())}
    text = f"RabbitMQ {BROKER_VERSION} on {kind}"
    if any(version.startswith(BROKER_VERSION) for version in versions):
        return CheckResult(ok=True, text=f"{account.region} offers {text}")
    return CheckResult(
        ok=False,
        text=f"{account.region} does not offer {text}: set BrokerInstanceType, or another region",
    )


def database_version(account: Account, deployment: Deployment) -> CheckResult:
    """Check that the region offers the instance class with all that the database uses."""
    kind = deployment.parameters["DatabaseInstanceClass"]
    if deployment.parameters["DatabaseEndpoint"]:
        return CheckResult(ok=True, text="the database exists")
    used = ["SupportsIAMDatabaseAuthentication", "SupportsPerformanceInsights"]
    if deployment.several_zones:
        used.append("MultiAZCapable")
    pages = account.client("rds").get_paginator("describe_orderable_db_instance_options")
    offers = pages.paginate(Engine="mariadb", DBInstanceClass=kind, Vpc=True)
    text = f"MariaDB {DATABASE_VERSION} on {kind}"
    for page in offers:
        for one in page["OrderableDBInstanceOptions"]:
            version, storage = one["EngineVersion"], one["StorageType"]
            if (
                version.startswith(f"{DATABASE_VERSION}.")
                and storage == "gp3"
                and all(one[what] for what in used)
            ):
                return CheckResult(ok=True, text=f"{account.region} offers {text}")
    return CheckResult(
        ok=False,
        text=f"{account.region} does not offer {text} with gp3 and {', '.join(used)}: set"
        " DatabaseInstanceClass, or another region",
    )


CHECKS: Final[dict[str, Callable[[Account, Deployment], CheckResult]]] = {
    "region": region,
    "stack-name": stack_name,
    "concurrency": concurrency,
    "database-connections": database_connections,
    "sender": sender,
    "email-sandbox": email_sandbox,
    "text-sandbox": text_sandbox,
    "text-spending": text_spending,
    "addresses": addresses,
    "networks": networks,
    "tables": tables,
    "broker-version": broker_version,
    "database-version": database_version,
}


def run(name: str, account: Account, deployment: Deployment) -> CheckResult:
    """Run a check; if AWS refuses a request, the result says so."""
    try:
        return CHECKS[name](account, deployment)
    except AWS_ERRORS as error:
        reason = str(error).partition("\n")[0]
        return CheckResult(ok=False, text=f"cannot be checked: {reason}")
