"""Every permission of every role is needed by a call, and every call to AWS is permitted."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.stack import Stack

LAYER: Final = "layers/scheduler/scheduler"
TABLE: Final = f"{LAYER}/payments/table.py:FailureTable"
CONNECTIONS: Final = f"{LAYER}/realtime/connections.py:Connections"
TICKETS: Final = f"{LAYER}/realtime/tickets.py:Tickets"
LIMIT: Final = f"{LAYER}/realtime/user_limit.py:UserLimit"
SECRET: Final = f"{LAYER}/credentials.py:read_secret"
ERASURE: Final = "functions/housekeeping/erase.py:_OutsideDatabase.erase"

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
    ("HousekeepingRole", "Disconnecting", "execute-api:ManageConnections"): ERASURE,
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
    "rds-db:connect": ("generate_db_auth_token",),
    "secretsmanager:GetSecretValue": ("get_secret_value",),
    "ses:SendEmail": ("send_email",),
    "sns:Publish": ("publish",),
}
"""The methods of boto3 by action."""

# Lambda itself uses the role, not our code:
# docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, …/with-mq.html, …/services-xray.html
BY_LAMBDA: Final = {
    ("FunctionPolicy", "NetworkInterfaces"),
    ("FunctionPolicy", "Traces"),
    ("EventSourcePolicy", "Broker"),
    ("EventSourcePolicy", "BrokerNetwork"),
    ("ApiRolloutRole", "Alias"),  # CodeDeploy
    ("ApiRolloutRole", "RolloutAlarms"),
}


def granted(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Yield owner, Sid and action of every permission, except those of the function's log group."""
    for owner, statement in stack.statements():
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if statement["Effect"] == "Allow" and not action.startswith("logs:"):
                yield owner, statement["Sid"], action


def source(place: str) -> str:
    """Return the source of a function: ``path:Class.method``."""
    path, _, name = place.partition(":")
    node: ast.AST = ast.parse((ROOT / path).read_text("utf-8"))
    for part in name.split("."):
        node = next(one for one in ast.walk(node) if getattr(one, "name", None) == part)
    return ast.unparse(node)


def test_every_permission_is_needed_by_a_call_in_our_code_or_by_lambda(stack: Stack) -> None:
    found = {one for one in granted(stack) if one[:2] not in BY_LAMBDA}

    assert found == set(NEEDS)
    for (_, _, action), place in NEEDS.items():
        assert any(f".{name}" in source(place) for name in CALLS[action]), (action, place)


def test_every_call_to_aws_is_permitted(stack: Stack) -> None:
    actions = {action for _, _, action in granted(stack)}
    permitted = {name for action in actions for name in CALLS.get(action, ())}
    ours = {"handle", "is_open", "post"}
    boto3 = re.compile(r"\b(?:client|_client|_dynamodb|_gateway|_api|_ses|_sns)\.([a-z_]+)\(")
    made = {
        name
        for folder in ("functions", "layers")
        for path in Path(ROOT / folder).rglob("*.py")
        for name in boto3.findall(path.read_text("utf-8"))
    }

    assert made - ours <= permitted, "add the permission, and why to NEEDS"


def test_code_of_functions_cannot_touch_network_interfaces(stack: Stack) -> None:
    """Lambda needs these actions; its own calls do not have the key lambda:SourceFunctionArn."""
    allowed = {action for _, _, action in granted(stack) if action.startswith("ec2:")}
    (denied,) = (one for _, one in stack.statements() if one["Effect"] == "Deny")
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
