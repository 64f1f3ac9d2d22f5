import json
import re
from collections import Counter
from typing import Any

from local.gateway.routes import ROUTES
from operations.scheduled import SCHEDULED
from scheduler.settings import MAX_SHARDS
from tests.template.stack import Stack

SHARDS = range(1, MAX_SHARDS + 1)
CANARY = "OperationsFunctionCanary"


def test_log_groups_expire(stack: Stack) -> None:
    groups = stack.of_type("AWS::Logs::LogGroup")

    for function in stack.functions.values():
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups
    for group in groups.values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_functions_run_python_313_with_the_layer_and_are_traced_on_request(
    stack: Stack,
) -> None:
    (layer,) = (n for n in stack.of_type("AWS::Lambda::LayerVersion") if "Scheduler" in n)

    tracing = {"Fn::If": ["HasXRay", "Active", "PassThrough"]}
    for function in stack.functions.values():
        assert function["Runtime"] == "python3.13"
        assert function["TracingConfig"] == {"Mode": tracing}
        assert function["Layers"][0] == {"Ref": layer}
        assert "Infrastructure" in str(function["VpcConfig"]["SubnetIds"])


def test_only_provisioning_has_the_migration_layer(stack: Stack) -> None:
    handlers = {f["Handler"] for f in stack.functions.values() if len(f["Layers"]) > 1}

    assert handlers == {"provisioning.app.handler"}


def test_timeouts_are_within_the_limit_of_amazon_mq(stack: Stack) -> None:
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        function = stack.functions[mapping["FunctionName"]["Ref"]]
        assert function["Timeout"] <= 14 * 60


def test_reserved_concurrency_matches_the_number_of_queues(stack: Stack) -> None:
    mappings = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    queues = Counter(mapping["FunctionName"]["Ref"] for mapping in mappings)

    for name, function in stack.functions.items():
        match function["ReservedConcurrentExecutions"]:
            case {"Fn::If": ["OneEnvironmentPerQueue", {"Fn::FindInMap": found}, other]}:
                mapping, _, column = found
                assert other == {"Ref": "EventConcurrency"}
                by_shards = stack.mappings[mapping]
                assert [by_shards[str(n)][column] for n in SHARDS] == [
                    queues[name] * n for n in SHARDS
                ]
            case reserved:
                assert queues[name] <= reserved <= 50


def test_dispatcher_and_housekeeping_run_every_minute(stack: Stack) -> None:
    all_rules = stack.of_type("AWS::Events::Rule")
    rules = [rule for name, rule in all_rules.items() if name != CANARY]

    assert {rule["ScheduleExpression"] for rule in rules} == {"rate(1 minute)"}
    assert {target["Arn"]["Fn::GetAtt"][0] for rule in rules for target in rule["Targets"]} == {
        "HousekeepingFunction",
        "NotificationDispatchFunction",
    }


def test_canary_runs_only_if_it_is_asked_for_and_then_has_an_alarm(
    stack: Stack, nested: dict[str, Stack], expanded: dict[str, dict[str, Any]]
) -> None:
    rule = stack.of_type("AWS::Events::Rule")[CANARY]
    alarm = nested["operations"].of_type("AWS::CloudWatch::Alarm")["CanaryFailed"]
    (minutes,) = re.findall(r"rate\((\d+) minutes\)", rule["ScheduleExpression"])

    assert expanded["template"]["Parameters"]["Canary"]["Default"] == "off"
    assert rule["State"] == {"Fn::If": ["HasCanary", "ENABLED", "DISABLED"]}
    assert [json.loads(target["Input"]) for target in rule["Targets"]] == [SCHEDULED]
    assert nested["operations"].resources["CanaryFailed"]["Condition"] == "HasCanary"
    assert alarm["MetricName"] == "scheduler_canary_passed"
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["Period"] == 2 * 60 * int(minutes)


def test_events_that_were_throttled_are_not_kept_for_hours(stack: Stack) -> None:
    """Lambda and EventBridge would keep them for six hours and a day, and then run them all."""
    invoked = stack.of_type("AWS::Lambda::EventInvokeConfig").values()
    rules = stack.of_type("AWS::Events::Rule").values()

    ages = {one["FunctionName"]["Ref"]: one["MaximumEventAgeInSeconds"] for one in invoked}
    assert ages == {
        "AlarmRelayFunction": 3600,  # an alarm of an hour ago is still worth reading
        "HousekeepingFunction": 60,
        "NotificationDispatchFunction": 60,
        "OperationsFunction": 60,
        "RealtimeFunction": 60,
    }
    for target in (target for rule in rules for target in rule["Targets"]):
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 60


def test_websocket_stage_is_deployed_after_its_routes(stack: Stack) -> None:
    routes = stack.of_type("AWS::ApiGatewayV2::Route")

    assert set(stack.resources["WebSocketStage"]["DependsOn"]) == set(routes)


def test_access_log_names_caller_and_address(stack: Stack) -> None:
    stage = stack.of_type("AWS::ApiGatewayV2::Stage")["HttpApiApiGatewayDefaultStage"]

    line = json.loads(stage["AccessLogSettings"]["Format"])
    assert line["sourceIp"] == "$context.identity.sourceIp"
    assert line["subject"] == "$context.authorizer.claims.sub"


def test_payment_failures_expire_and_can_be_restored(stack: Stack) -> None:
    table = stack.of_type("AWS::DynamoDB::Table")["PaymentFailuresTable"]

    assert table["KeySchema"] == [{"AttributeName": "user_id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_every_table_is_encrypted_and_expires_items(stack: Stack) -> None:
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}


def test_payment_failures_are_kept_except_after_a_failed_first_deployment(
    stack: Stack,
) -> None:
    resource = stack.resources["PaymentFailuresTable"]

    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_only_health_openapi_and_preflight_requests_need_no_token(
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


def test_local_gateway_has_the_deployed_routes(stack: Stack) -> None:
    api = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]

    deployed = {
        (path, "ANY" if method.startswith("x-") else method.upper())
        for path, operations in api["Body"]["paths"].items()
        for method in operations
    }

    assert {(route.path, route.method) for route in ROUTES} == deployed


def test_cors_allows_tokens_but_no_credentials(stack: Stack) -> None:
    allowed = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]["Body"]["x-amazon-apigateway-cors"]

    assert allowed["allowOrigins"] == ["*"]
    assert {"authorization", "idempotency-key"} <= set(allowed["allowHeaders"])
    assert "allowCredentials" not in allowed


def test_api_is_throttled(stack: Stack) -> None:
    stage = stack.of_type("AWS::ApiGatewayV2::Stage")["HttpApiApiGatewayDefaultStage"]

    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ApiRateLimit"},
        "ThrottlingBurstLimit": {"Ref": "ApiBurstLimit"},
    }


def test_authorizer_checks_issuer_and_audience(stack: Stack) -> None:
    api = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]

    scheme = api["Body"]["components"]["securitySchemes"]["Jwt"]
    authorizer = scheme["x-amazon-apigateway-authorizer"]

    assert authorizer["type"] == "jwt"
    assert authorizer["identitySource"] == "$request.header.Authorization"
    assert authorizer["jwtConfiguration"] == {
        "issuer": {"Fn::GetAtt": ["Infrastructure", "Outputs.JwtIssuer"]},
        "audience": {"Fn::Split": [",", {"Fn::GetAtt": ["Infrastructure", "Outputs.JwtAudience"]}]},
    }


def test_outputs_name_the_addresses_for_operators(
    expanded: dict[str, dict[str, Any]],
) -> None:
    assert expanded["template"]["Outputs"].keys() >= {
        *("ApiUrl", "WebSocketUrl", "DashboardUrl", "AlarmTopicArn"),
        *("BrokerConsoleUrl", "BrokerEndpoint", "BrokerSecretArn"),
        *("DatabaseEndpoint", "DatabaseAdminSecretArn"),
    }
