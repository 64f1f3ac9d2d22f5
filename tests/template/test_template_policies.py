from tests.template.stack import Stack

# The reason of each is in template.yaml.
WILDCARDS = {
    ("FunctionPolicy", "NetworkInterfaces"),
    ("FunctionPolicy", "NoNetworkInterfacesForCode"),
    ("FunctionPolicy", "Traces"),
    ("EventSourcePolicy", "BrokerNetwork"),
    ("NotificationDispatchRole", "Email"),
    ("NotificationDispatchRole", "Frames"),
    ("NotificationDispatchRole", "NoTopics"),
    ("NotificationDispatchRole", "TextMessages"),
    ("HousekeepingRole", "Disconnecting"),
    ("RealtimeRole", "Frames"),
    ("ProvisioningRole", "LogsOfBrokerAndDatabase"),
    ("ApiRolloutRole", "RolloutAlarms"),
}


ROLLOUT = "ApiRolloutRole"
"""The role of CodeDeploy; all others are of functions."""


def test_only_the_listed_statements_apply_to_any_resource(stack: Stack) -> None:
    found = {
        (name, statement.get("Sid"))
        for name, statement in stack.statements()
        if "*" in str(statement["Resource"])
    }

    assert found == WILDCARDS


def test_policies_list_single_actions(stack: Stack) -> None:
    for name, statement in stack.statements():
        assert "*" not in str(statement["Action"]), name
        assert not {"NotAction", "NotResource"} & statement.keys(), name


def test_only_text_message_logs_have_a_wildcard_in_nested_stacks(nested: dict[str, Stack]) -> None:
    found = {
        (name, statement.get("Sid"))
        for stack in nested.values()
        for name, statement in stack.statements()
        if "*" in str(statement["Resource"])
    }

    assert found == {("TextMessageLogsRole", "TextMessageLogs")}  # SNS chooses the names


def test_emails_are_sent_from_the_configured_address_only(stack: Stack) -> None:
    (email,) = (one for _, one in stack.statements() if one.get("Sid") == "Email")

    assert email["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "EmailFrom"}}}


def test_emails_are_sent_with_the_default_configuration_set_of_the_identity(stack: Stack) -> None:
    """SES checks both resources if the identity has one: github.com/aws/aws-cdk/issues/34402."""
    (email,) = (one for _, one in stack.statements() if one.get("Sid") == "Email")

    kinds = [arn["Fn::Sub"].rpartition(":")[2] for arn in email["Resource"]]
    assert kinds == ["configuration-set/*", "identity/*"]


def test_text_messages_go_to_phones_and_not_to_topics(stack: Stack) -> None:
    """A phone number is not an ARN; a false alarm in the topic of the alarms would be one."""
    denied = [one for _, one in stack.statements() if one.get("Sid") == "NoTopics"]

    assert [(one["Effect"], one["Action"]) for one in denied] == [("Deny", "sns:Publish")]
    assert denied[0]["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"}


def test_key_of_secrets_is_used_by_secrets_manager_only(stack: Stack) -> None:
    (key,) = (one for _, one in stack.statements() if one.get("Sid") == "SecretsKey")

    service = {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}  # .cn in China
    assert key["Action"] == "kms:Decrypt"
    assert key["Condition"] == {"StringEquals": {"kms:ViaService": service}}


def test_every_function_has_its_own_role_that_only_lambda_can_assume(stack: Stack) -> None:
    functions = stack.functions
    roles = {name: role for name, role in stack.roles.items() if name != ROLLOUT}

    assert sorted(f["Role"]["Fn::GetAtt"][0] for f in functions.values()) == sorted(roles)
    for role in roles.values():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_no_role_has_an_aws_managed_policy(stack: Stack) -> None:
    own = set(stack.of_type("AWS::IAM::ManagedPolicy"))

    for role in stack.roles.values():
        assert {arn["Ref"] for arn in role.get("ManagedPolicyArns", ())} <= own


def test_only_provisioning_can_read_the_administrator_secret(stack: Stack) -> None:
    readers = {
        name
        for name, statement in stack.statements()
        if "DatabaseAdminSecretArn" in str(statement["Resource"])
    }

    assert readers == {"ProvisioningRole"}


def broker_account(stack: Stack, function: str) -> str:
    """Return the output with the secret with which a function logs in to the broker."""
    arn = stack.functions[function]["Environment"]["Variables"]["BROKER_SECRET_ARN"]
    return str(arn["Fn::GetAtt"][1])


def test_functions_that_only_publish_log_in_as_the_publisher(stack: Stack) -> None:
    for name in ("AllocationApiFunction", "HousekeepingFunction", "NotificationDispatchFunction"):
        assert broker_account(stack, name) == "Outputs.BrokerPublisherSecretArn"


def test_only_provisioning_is_administrator_of_the_broker(stack: Stack) -> None:
    administrators = {
        name for name in stack.functions if broker_account(stack, name) == "Outputs.BrokerSecretArn"
    }
    readers = {
        name
        for name, statement in stack.statements()
        if "Outputs.BrokerSecretArn" in str(statement["Resource"])
    }

    assert administrators == {"ProvisioningFunction"}
    assert readers == {"ProvisioningRole"}


def test_function_can_read_the_secret_of_its_broker_account(stack: Stack) -> None:
    secrets = {
        name: str(statement["Resource"])
        for name, statement in stack.statements()
        if "secretsmanager:GetSecretValue" in str(statement["Action"])
    }
    for name, function in stack.functions.items():
        role = function["Role"]["Fn::GetAtt"][0]
        policies = {arn["Ref"] for arn in stack.roles[role]["ManagedPolicyArns"]}
        if policies & {"BrokerPolicy", "PublisherPolicy"}:
            readable = str([secrets[policy] for policy in policies if policy in secrets])
            assert broker_account(stack, name) in readable, name


def test_function_can_write_only_its_own_log_group(stack: Stack) -> None:
    roles = stack.roles

    for function in stack.functions.values():
        role = roles[function["Role"]["Fn::GetAtt"][0]]
        group = function["LoggingConfig"]["LogGroup"]["Ref"]
        logs = [p["PolicyDocument"] for p in role["Policies"] if p["PolicyName"] == "Logs"]
        assert logs[0]["Statement"][0]["Resource"] == {"Fn::GetAtt": [group, "Arn"]}


def test_payment_failures_can_be_put_only_in_transactions(stack: Stack) -> None:
    """In a transaction every put has a condition; a single PutItem may have none."""
    puts = [
        statement
        for _, statement in stack.statements()
        if "dynamodb:PutItem" in str(statement["Action"])
        and "PaymentFailuresTable" in str(statement["Resource"])
    ]

    assert [one["Condition"] for one in puts] == [
        {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": "TransactWriteItems"}}
    ]
