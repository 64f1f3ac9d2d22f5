"""The infrastructure that the stack creates unless existing parts are given."""

from typing import Any

from tests.template.stack import Stack


def test_database_is_encrypted_private_and_backed_up_and_requires_tls(
    nested: dict[str, Stack],
) -> None:
    database = nested["database"]
    (instance,) = database.of_type("AWS::RDS::DBInstance").values()
    (parameters,) = database.of_type("AWS::RDS::DBParameterGroup").values()

    assert instance["StorageEncrypted"]
    assert not instance["PubliclyAccessible"]
    assert instance["BackupRetentionPeriod"] >= 7
    assert instance["EnableIAMDatabaseAuthentication"]
    assert instance["ManageMasterUserPassword"]
    assert parameters["Parameters"]["require_secure_transport"] == "1"


def test_broker_is_private_and_its_password_is_generated(nested: dict[str, Stack]) -> None:
    (broker,) = nested["broker"].of_type("AWS::AmazonMQ::Broker").values()

    assert not broker["PubliclyAccessible"]
    assert broker["Logs"] == {"General": True}
    assert "{{resolve:secretsmanager:" in str(broker["Users"][0]["Password"])


def test_no_security_group_allows_the_internet(nested: dict[str, Stack]) -> None:
    for stack in nested.values():
        for name, group in stack.of_type("AWS::EC2::SecurityGroup").items():
            for rule in group.get("SecurityGroupIngress", ()):
                assert "SourceSecurityGroupId" in rule, name


def test_messages_rows_and_users_are_kept_when_the_stack_is_deleted(
    nested: dict[str, Stack],
) -> None:
    infrastructure = nested["stack"].resources

    assert infrastructure["Broker"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert nested["database"].resources["Instance"]["DeletionPolicy"] == "Snapshot"
    assert nested["identity"].resources["UserPool"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_rollback_of_a_first_deployment_is_only_stopped_in_several_zones(
    nested: dict[str, Stack], expanded: dict[str, dict[str, Any]]
) -> None:
    (pool,) = nested["identity"].of_type("AWS::Cognito::UserPool").values()
    (database,) = nested["database"].of_type("AWS::RDS::DBInstance").values()
    given = nested["stack"].of_type("AWS::CloudFormation::Stack")

    conditions = expanded["infrastructure/identity"]["Conditions"]
    assert pool["DeletionProtection"] == {"Fn::If": ["IsProtected", "ACTIVE", "INACTIVE"]}
    assert conditions["IsProtected"] == {"Fn::Equals": [{"Ref": "Protected"}, "true"]}
    assert given["Identity"]["Parameters"]["Protected"] == {"Ref": "HighAvailability"}
    assert database["DeletionProtection"] == {"Ref": "MultiAz"}
    assert given["Database"]["Parameters"]["MultiAz"] == {"Ref": "HighAvailability"}


def test_user_pool_requires_a_second_factor_and_nobody_can_sign_up(
    nested: dict[str, Stack],
) -> None:
    (pool,) = nested["identity"].of_type("AWS::Cognito::UserPool").values()

    assert pool["MfaConfiguration"] == "ON"  # of everybody, so of administrators too
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_group_of_the_user_pool_is_the_value_that_makes_an_administrator(
    stack: Stack, nested: dict[str, Stack]
) -> None:
    (group,) = nested["identity"].of_type("AWS::Cognito::UserPoolGroup").values()
    given = nested["stack"].of_type("AWS::CloudFormation::Stack")["Identity"]["Parameters"]
    above = stack.of_type("AWS::CloudFormation::Stack")["Infrastructure"]["Parameters"]

    assert group["GroupName"] == given["AdminGroup"] == {"Ref": "AdminGroup"}
    assert above["AdminGroup"] == {"Ref": "AdminValue"}


def test_each_part_is_created_unless_an_existing_one_is_given(nested: dict[str, Stack]) -> None:
    conditions = {n: r["Condition"] for n, r in nested["stack"].resources.items()}

    assert conditions == {
        "Network": "MakesNetwork",
        "Broker": "MakesBroker",
        "Database": "MakesDatabase",
        "Identity": "MakesIdentity",
    }
