"""Every permission of every role is needed by a call, and every call to AWS is permitted."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore import xform_name

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.template.stack import Stack

LAYER: Final = "layers/scheduler/scheduler"
TABLE: Final = f"{LAYER}/payments/table.py:FailureTable"
CONNECTIONS: Final = f"{LAYER}/realtime/connections.py:Connections"
TICKETS: Final = f"{LAYER}/realtime/tickets.py:Tickets"
LIMIT: Final = f"{LAYER}/realtime/user_limit.py:UserLimit"
SECRET: Final = f"{LAYER}/credentials.py:read_secret"
ERASURE: Final = "functions/housekeeping/erase.py:_OutsideDatabase.erase"
CLOSING: Final = "functions/housekeeping/erase.py:_OutsideDatabase._close"
RETENTION: Final = "functions/provisioning/log_retention.py:expire_logs"

OUR_CODE: Final = tuple(
    path for folder in ("functions", "layers") for path in (ROOT / folder).rglob("*.py")
)
MODULES: Final = {
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
    for root in (ROOT / "functions", ROOT / "layers" / "scheduler")
    for path in root.rglob("*.py")
}
CLIENT: Final = re.compile(r"""client\(\s*["']([a-z0-9-]+)["']""")
ATTRIBUTE: Final = re.compile(r"\.([a-z_]+)\b")

# By the owner of a statement, its Sid and an action: the function that makes the call.
NEEDS: Final = {
    ("FunctionPolicy", "SecretsKey", "kms:Decrypt"): SECRET,
    ("DatabasePolicy", "Database", "secretsmanager:GetSecretValue"): SECRET,
    ("DatabasePolicy", "Database", "rds-db:connect"): f"{LAYER}/credentials.py:iam_token",
    ("BrokerPolicy", "Broker", "secretsmanager:GetSecretValue"): SECRET,
    ("PublisherPolicy", "Broker", "secretsmanager:GetSecretValue"): SECRET,
    ("AlarmRelayRole", "Webhook", "secretsmanager:GetSecretValue"): SECRET,
    ("OperationsRole", "Broker", "secretsmanager:GetSecretValue"): SECRET,
    ("OperationsRole", "Database", "secretsmanager:GetSecretValue"): SECRET,
    ("OperationsRole", "Database", "rds-db:connect"): f"{LAYER}/credentials.py:iam_token",
    ("OperationsRole", "PaymentFailures", "dynamodb:GetItem"): f"{TABLE}.get",
    ("ProvisioningRole", "LogsOfBrokerAndDatabase", "logs:CreateLogGroup"): RETENTION,
    ("ProvisioningRole", "LogsOfBrokerAndDatabase", "logs:PutRetentionPolicy"): RETENTION,
    ("ProvisioningRole", "Accounts", "secretsmanager:GetSecretValue"): SECRET,
    ("BillingEventsRole", "Counts", "dynamodb:BatchGetItem"): f"{TABLE}.get_many",
    ("BillingEventsRole", "Counts", "dynamodb:UpdateItem"): f"{TABLE}.update",
    ("BillingEventsRole", "FirstFailuresOfManyUsers", "dynamodb:PutItem"): f"{TABLE}.transact",
    ("AllocationApiRole", "PaymentFailures", "dynamodb:GetItem"): f"{TABLE}.get",
    ("AllocationApiRole", "Tickets", "dynamodb:BatchGetItem"): f"{LIMIT}._existing",
    ("AllocationApiRole", "Tickets", "dynamodb:DeleteItem"): f"{TICKETS}._delete",
    ("AllocationApiRole", "Tickets", "dynamodb:GetItem"): f"{LIMIT}.counted",
    ("AllocationApiRole", "Tickets", "dynamodb:PutItem"): f"{TICKETS}.issue",
    ("AllocationApiRole", "Tickets", "dynamodb:UpdateItem"): f"{LIMIT}._add",
    (
        *("NotificationDispatchRole", "ConnectionsOfAUser"),
        "dynamodb:Query",
    ): f"{CONNECTIONS}._active",
    ("NotificationDispatchRole", "Connections", "dynamodb:DeleteItem"): f"{CONNECTIONS}.remove",
    (
        *("NotificationDispatchRole", "Frames"),
        "execute-api:ManageConnections",
    ): "functions/notification_dispatch/channels/websocket.py:WebSocketSender._post",
    (
        *("NotificationDispatchRole", "Email"),
        "ses:SendEmail",
    ): "functions/notification_dispatch/channels/email.py:EmailSender.send_one",
    (
        *("NotificationDispatchRole", "TextMessages"),
        "sns:Publish",
    ): "functions/notification_dispatch/channels/sms.py:SmsSender.send_one",
    ("HousekeepingRole", "PaymentsOfDeletedUsers", "dynamodb:DeleteItem"): ERASURE,
    ("HousekeepingRole", "ConnectionsOfAUser", "dynamodb:Query"): f"{CONNECTIONS}._active",
    ("HousekeepingRole", "Connections", "dynamodb:DeleteItem"): f"{CONNECTIONS}.remove",
    ("HousekeepingRole", "Connections", "dynamodb:GetItem"): f"{LIMIT}.counted",
    ("HousekeepingRole", "Disconnecting", "execute-api:ManageConnections"): CLOSING,
    ("HousekeepingRole", "TicketsOfDeletedUsers", "dynamodb:DeleteItem"): f"{TICKETS}._delete",
    ("HousekeepingRole", "TicketsOfDeletedUsers", "dynamodb:GetItem"): f"{LIMIT}.counted",
    ("RealtimeRole", "Tickets", "dynamodb:DeleteItem"): f"{TICKETS}.redeem",
    ("RealtimeRole", "Connections", "dynamodb:BatchGetItem"): f"{LIMIT}._existing",
    ("RealtimeRole", "Connections", "dynamodb:DeleteItem"): f"{CONNECTIONS}.remove",
    ("RealtimeRole", "Connections", "dynamodb:GetItem"): f"{CONNECTIONS}.owner",
    ("RealtimeRole", "Connections", "dynamodb:PutItem"): f"{CONNECTIONS}.add",
    ("RealtimeRole", "Connections", "dynamodb:UpdateItem"): f"{CONNECTIONS}.activate",
    ("RealtimeRole", "ConnectionsOfAUser", "dynamodb:Query"): f"{CONNECTIONS}._active",
    (
        *("RealtimeRole", "Frames"),
        "execute-api:ManageConnections",
    ): "functions/realtime/connection_client.py:ConnectionClient.post",
    (
        *("RealtimeInvokesItself", "InvokeItself"),
        "lambda:InvokeFunction",
    ): "functions/realtime/handshake.py:AsyncInvoker.__call__",
}

CALLS: Final = {
    "dynamodb:BatchGetItem": ("batch_get_item",),
    "dynamodb:DeleteItem": ("delete_item",),
    "dynamodb:GetItem": ("get_item",),
    "dynamodb:PutItem": ("put_item", "transact_write_items"),
    "dynamodb:Query": ("query",),
    "dynamodb:UpdateItem": ("update_item",),
    "execute-api:ManageConnections": ("post_to_connection", "delete_connection", "get_connection"),
    "kms:Decrypt": ("get_secret_value",),
    "lambda:InvokeFunction": ("invoke",),
    "logs:CreateLogGroup": ("create_log_group",),
    "logs:PutRetentionPolicy": ("put_retention_policy",),
    "rds-db:connect": ("generate_db_auth_token",),
    "secretsmanager:GetSecretValue": ("get_secret_value",),
    "ses:SendEmail": ("send_email",),
    "sns:Publish": ("publish",),
}
"""The methods of boto3 by action."""

OF_OUR_CLASSES: Final = {"OperationsFunction": {"publish"}}
"""Methods of our own with the name of an operation of AWS, by the function that calls them."""

# The service itself uses the role, not our code:
# docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, …/with-mq.html, …/services-xray.html
BY_SERVICE: Final = {
    ("FunctionPolicy", "NetworkInterfaces"): "lambda",
    ("FunctionPolicy", "Traces"): "lambda",
    ("EventSourcePolicy", "Broker"): "lambda",
    ("EventSourcePolicy", "BrokerNetwork"): "lambda",
    ("ApiRolloutRole", "Alias"): "codedeploy",
    ("ApiRolloutRole", "RolloutAlarms"): "codedeploy",
    ("FlowLogsRole", "RefusedTraffic"): "vpc-flow-logs",
    ("TextMessageLogsRole", "TextMessageLogs"): "sns",
}
OWN_LOGS: Final = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda needs to write to the log group of a function."""

Permission = tuple[str, str, str]
"""Owner, Sid and action."""


def granted(stack: Stack) -> Iterator[Permission]:
    """Yield every permission, except those of each function for its own log group."""
    own = {
        (role_of(function), function["LoggingConfig"]["LogGroup"]["Ref"])
        for function in stack.functions.values()
    }
    for owner, statement in stack.statements():
        actions = _actions(statement)
        group = statement["Resource"].get("Fn::GetAtt", [""])[0] if _is_one(statement) else ""
        if statement["Effect"] == "Deny" or (actions == OWN_LOGS and (owner, group) in own):
            continue
        for action in actions:
            yield owner, statement["Sid"], action


def _actions(statement: dict[str, Any]) -> set[str]:
    actions = statement["Action"]
    return {actions} if isinstance(actions, str) else set(actions)


def _is_one(statement: dict[str, Any]) -> bool:
    return isinstance(statement["Resource"], dict)


def role_of(function: dict[str, Any]) -> str:
    role: str = function["Role"]["Fn::GetAtt"][0]
    return role


def owners(stack: Stack, role: str) -> set[str]:
    """Return the ids of a role and of the policies that are attached to it."""
    managed = {one["Ref"] for one in stack.roles[role]["ManagedPolicyArns"]}
    others = stack.of_type("AWS::IAM::Policy").items()
    return {role} | managed | {name for name, one in others if {"Ref": role} in one["Roles"]}


def permitted(permissions: Iterable[Permission]) -> set[str]:
    """Return the methods of boto3 that permissions allow."""
    return {name for _, _, action in permissions for name in CALLS.get(action, ())}


def source(place: str) -> str:
    """Return the source of a function: ``path:Class.method``."""
    path, _, name = place.partition(":")
    node: ast.AST = ast.parse((ROOT / path).read_text("utf-8"))
    for part in name.split("."):
        node = next(one for one in ast.walk(node) if getattr(one, "name", None) == part)
    return ast.unparse(node)


def calls(paths: Iterable[Path]) -> set[str]:
    """Return the methods that files call and that are operations of AWS services we use."""
    texts = [path.read_text("utf-8") for path in paths]
    return {name for text in texts for name in ATTRIBUTE.findall(text)} & operations()


@cache
def operations() -> set[str]:
    """Return the methods of boto3's clients of the services for which our code makes a client."""
    session = botocore.session.Session()
    services = {name for path in OUR_CODE for name in CLIENT.findall(path.read_text("utf-8"))}
    assert {"dynamodb", "logs", "sns"} <= services
    names = {one for name in services for one in session.get_service_model(name).operation_names}
    return {xform_name(one) for one in names} | {"generate_db_auth_token"}


def imported(module: str) -> set[Path]:
    """Return the files that a module imports, directly or not, also within functions."""
    found: set[Path] = set()
    left = [module]
    while left:
        path = MODULES.get(left.pop())
        if path is None or path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Import():
                    left += [one.name for one in node.names]
                case ast.ImportFrom(module=str(name)):
                    left += [name, *(f"{name}.{one.name}" for one in node.names)]
    return found


def test_every_permission_is_needed_by_a_call_in_our_code_or_by_a_service(
    stack: Stack, nested: dict[str, Stack]
) -> None:
    found = {one for each in (stack, *nested.values()) for one in granted(each)}

    assert {one[:2] for one in found} >= BY_SERVICE.keys()
    assert {one for one in found if one[:2] not in BY_SERVICE} == set(NEEDS)
    for (_, _, action), place in NEEDS.items():
        assert any(f".{name}" in source(place) for name in CALLS[action]), (action, place)


def test_role_that_a_service_uses_is_assumed_by_it(stack: Stack, nested: dict[str, Stack]) -> None:
    roles = {name: role for each in (stack, *nested.values()) for name, role in each.roles.items()}
    for (owner, _), service in BY_SERVICE.items():
        if owner in roles:
            (trust,) = roles[owner]["AssumeRolePolicyDocument"]["Statement"]
            assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}


def test_function_that_has_a_permission_contains_the_call_that_needs_it(stack: Stack) -> None:
    for name, function in stack.functions.items():
        code = imported(function["Handler"].removesuffix(".handler"))
        attached = owners(stack, role_of(function))
        for (owner, sid, action), place in NEEDS.items():
            if owner in attached:
                needed = ROOT / place.partition(":")[0]
                assert needed in code, (name, sid, action, place)


def test_every_call_to_aws_is_permitted(stack: Stack) -> None:
    made = calls(OUR_CODE)

    assert made <= permitted(granted(stack)), "add the permission, and why to NEEDS"


def test_every_call_in_the_code_of_a_function_is_permitted_to_its_role(stack: Stack) -> None:
    for name, function in stack.functions.items():
        package = function["Handler"].partition(".")[0]
        made = calls((ROOT / "functions" / package).rglob("*.py"))
        attached = owners(stack, role_of(function))

        allowed = permitted(one for one in granted(stack) if one[0] in attached)
        assert made - OF_OUR_CLASSES.get(name, set()) <= allowed, name


def test_code_of_functions_cannot_touch_network_interfaces(stack: Stack) -> None:
    """Lambda needs these actions; its own calls do not have the key lambda:SourceFunctionArn."""
    allowed = {action for _, _, action in granted(stack) if action.startswith("ec2:")}
    (denied,) = (
        one for _, one in stack.statements() if one.get("Sid") == "NoNetworkInterfacesForCode"
    )
    (pattern,) = denied["Condition"]["ArnLike"]["lambda:SourceFunctionArn"].values()

    assert set(denied["Action"]) >= allowed
    assert denied["Resource"] == "*"
    for function in stack.functions.values():
        name = function["FunctionName"]["Fn::Sub"]
        prefix = pattern.removesuffix("${AWS::StackName}-*")
        assert fnmatchcase(prefix + name, pattern.replace("[", "[[]"))
    for function in stack.functions.values():
        role = stack.roles[function["Role"]["Fn::GetAtt"][0]]
        assert {"Ref": "FunctionPolicy"} in role["ManagedPolicyArns"]
