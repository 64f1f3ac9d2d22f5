from collections import Counter
from typing import Any

from local.gateway.routes import ROUTES
from scheduler.settings import MAX_SHARDS
from tests.template.stack import Stack

SHARDS = range(1, MAX_SHARDS + 1)


def test_log_groups_expire(stack: Stack) -> None:
    groups = stack.of_type("AWS::Logs::LogGroup")

    for function in stack.functions.values():
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups
    for group in groups.values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_functions_run_traced_python_313_with_the_layer_inside_the_network(stack: Stack) -> None:
    (layer,) = (n for n in stack.of_type("AWS::Lambda::LayerVersion") if "Scheduler" in n)

    for function in stack.functions.values():
        assert function["Runtime"] == "python3.13"
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Layers"][0] == {"Ref": layer}
        assert "Infrastructure" in str(function["VpcConfig"]["SubnetIds"])


def test_only_provisioning_carries_what_migrates(stack: Stack) -> None:
    carriers = {f["Handler"] for f in stack.functions.values() if len(f["Layers"]) > 1}

    assert carriers == {"provisioning.app.handler"}


def test_event_functions_stay_below_what_amazon_mq_allows(stack: Stack) -> None:
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        function = stack.functions[mapping["FunctionName"]["Ref"]]
        assert function["Timeout"] <= 14 * 60


def test_a_function_may_run_as_often_as_its_queues_need_and_no_further(stack: Stack) -> None:
    mappings = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    queues = Counter(mapping["FunctionName"]["Ref"] for mapping in mappings)

    for name, function in stack.functions.items():
        match function["ReservedConcurrentExecutions"]:
            case {"Fn::FindInMap": [mapping, {"Ref": "Shards"}, column]}:
                by_shards = stack.mappings[mapping]
                assert [by_shards[str(n)][column] for n in SHARDS] == [
                    queues[name] * n for n in SHARDS
                ]
            case reserved:
                assert queues[name] <= reserved <= 50


def test_dispatcher_and_housekeeping_come_every_minute(stack: Stack) -> None:
    rules = stack.of_type("AWS::Events::Rule").values()

    assert {rule["ScheduleExpression"] for rule in rules} == {"rate(1 minute)"}
    assert {target["Arn"]["Fn::GetAtt"][0] for rule in rules for target in rule["Targets"]} == {
        "HousekeepingFunction",
        "NotificationDispatchFunction",
    }


def test_provisioning_runs_again_when_what_it_provisions_changed(stack: Stack) -> None:
    (layer,) = (n for n in stack.of_type("AWS::Lambda::LayerVersion") if "Scheduler" in n)

    assert stack.resources["Provisioning"]["Properties"]["Layer"] == {"Ref": layer}


def test_payment_failures_expire_and_can_be_restored(stack: Stack) -> None:
    table = stack.of_type("AWS::DynamoDB::Table")["PaymentFailuresTable"]

    assert table["KeySchema"] == [{"AttributeName": "user_id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_items_of_every_table_expire_encrypted(stack: Stack) -> None:
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}


def test_payment_failures_outlive_the_stack_but_not_a_first_deployment_that_fails(
    stack: Stack,
) -> None:
    resource = stack.resources["PaymentFailuresTable"]

    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_only_health_the_description_and_preflights_are_answered_without_a_token(
    stack: Stack,
) -> None:
    api = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]

    guards = {
        (path, method): operation["security"]
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }

    assert guards == {
        ("/api/health", "get"): [{"NONE": []}],
        ("/openapi.json", "get"): [{"NONE": []}],
        ("/api/{proxy+}", "options"): [{"NONE": []}],
        ("/api/{proxy+}", "x-amazon-apigateway-any-method"): [{"Jwt": []}],
    }


def test_the_local_gateway_has_the_routes_of_the_api(stack: Stack) -> None:
    api = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]

    deployed = {
        (path, "ANY" if method.startswith("x-") else method.upper())
        for path, operations in api["Body"]["paths"].items()
        for method in operations
    }

    assert {(route.path, route.method) for route in ROUTES} == deployed


def test_pages_of_other_origins_may_call_the_api_with_a_token(stack: Stack) -> None:
    allowed = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]["Body"]["x-amazon-apigateway-cors"]

    assert allowed["allowOrigins"] == ["*"]
    assert {"authorization", "idempotency-key"} <= set(allowed["allowHeaders"])
    assert "allowCredentials" not in allowed


def test_nobody_can_flood_the_api(stack: Stack) -> None:
    stage = stack.of_type("AWS::ApiGatewayV2::Stage")["HttpApiApiGatewayDefaultStage"]

    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ApiRateLimit"},
        "ThrottlingBurstLimit": {"Ref": "ApiBurstLimit"},
    }


def test_tokens_are_checked_for_issuer_and_audience(stack: Stack) -> None:
    api = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]

    scheme = api["Body"]["components"]["securitySchemes"]["Jwt"]
    authorizer = scheme["x-amazon-apigateway-authorizer"]

    assert authorizer["type"] == "jwt"
    assert authorizer["identitySource"] == "$request.header.Authorization"
    assert authorizer["jwtConfiguration"] == {
        "issuer": {"Fn::GetAtt": ["Infrastructure", "Outputs.JwtIssuer"]},
        "audience": {"Fn::Split": [",", {"Fn::GetAtt": ["Infrastructure", "Outputs.JwtAudience"]}]},
    }


def test_the_outputs_tell_operators_where_everything_is(
    expanded: dict[str, dict[str, Any]],
) -> None:
    assert expanded["template"]["Outputs"].keys() >= {
        *("ApiUrl", "WebSocketUrl", "DashboardUrl", "AlarmTopicArn"),
        *("BrokerConsoleUrl", "BrokerEndpoint", "BrokerSecretArn"),
        *("DatabaseEndpoint", "DatabaseAdminSecretArn"),
    }
