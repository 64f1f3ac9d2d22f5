from local.gateway.routes import ROUTES
from tests.template.stack import Stack


def test_log_groups_expire(stack: Stack) -> None:
    groups = stack.of_type("AWS::Logs::LogGroup")

    for function in stack.functions.values():
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups
    for group in groups.values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_functions_run_traced_python_313_with_the_layer_inside_the_network(stack: Stack) -> None:
    (layer,) = stack.of_type("AWS::Lambda::LayerVersion")

    for function in stack.functions.values():
        assert function["Runtime"] == "python3.13"
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Layers"] == [{"Ref": layer}]
        assert function["VpcConfig"]["SubnetIds"] == {"Ref": "SubnetIds"}


def test_event_functions_stay_below_what_amazon_mq_allows(stack: Stack) -> None:
    for function in stack.functions.values():
        assert function["Timeout"] <= 14 * 60


def test_payment_failures_expire_and_can_be_restored(stack: Stack) -> None:
    (table,) = stack.of_type("AWS::DynamoDB::Table").values()

    assert table["KeySchema"] == [{"AttributeName": "user_id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_payment_failures_outlive_the_stack(stack: Stack) -> None:
    resource = stack.resources["PaymentFailuresTable"]

    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def test_only_health_answers_without_a_token(stack: Stack) -> None:
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()

    guards = {
        (path, method): operation["security"]
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }

    assert guards == {
        ("/api/health", "get"): [{"NONE": []}],
        ("/api/{proxy+}", "x-amazon-apigateway-any-method"): [{"Jwt": []}],
    }


def test_the_local_gateway_has_the_routes_of_the_api(stack: Stack) -> None:
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()

    deployed = {path: "get" in operations for path, operations in api["Body"]["paths"].items()}
    local = {route.path: route.method == "GET" for route in ROUTES if "/api/" in route.path}

    assert local == deployed


def test_tokens_are_checked_for_issuer_and_audience(stack: Stack) -> None:
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()

    scheme = api["Body"]["components"]["securitySchemes"]["Jwt"]
    authorizer = scheme["x-amazon-apigateway-authorizer"]

    assert authorizer["type"] == "jwt"
    assert authorizer["identitySource"] == "$request.header.Authorization"
    assert authorizer["jwtConfiguration"] == {
        "issuer": {"Ref": "JwtIssuer"},
        "audience": {"Ref": "JwtAudience"},
    }
