"""The WebSocket API over real sockets, in front of a real function process, with boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.config import Config
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from local.environment import aws_environment
from local.gateway.server import MAX_WEBSOCKET_MESSAGE_BYTES, AsgiServer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import Function
from local.websocket import websocket_app
from tests.integration.local.conftest import PROBE
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class WebSocketRig:
    """A running WebSocket API, the events of its function, and boto3 clients."""

    def __init__(self, port: int, file: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        self._file = file
        self.management = self._client("apigatewaymanagementapi")
        self.functions = self._client("lambda")

    def open(self, query: str = "") -> ClientConnection:
        return connect(f"ws://{self.address}/{query}", compression=None)

    def seen(self, route: str) -> list[dict[str, Any]]:
        """Return the events of a route, in order."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        events = [json.loads(line) for line in lines]
        return [e for e in events if e.get("requestContext", {}).get("routeKey") == route]

    def last_id(self) -> str:
        """Return the id of the latest connection."""
        return str(self.seen("$connect")[-1]["requestContext"]["connectionId"])

    def _client(self, service: str) -> Any:  # noqa: ANN401 - no types for these services
        variables = aws_environment(f"http://{self.address}")
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            endpoint_url=f"http://{self.address}",
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentPool]:
    folder = tmp_path_factory.mktemp("websocket")
    variables = {"PROBE_FILE": str(folder / "seen")}
    function = Function("probe", "probe.websocket", variables, folder, 30, import_roots=(PROBE,))
    pool = EnvironmentPool(function, 2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def gateway(
    pool: EnvironmentPool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebSocketRig]:
    server = AsgiServer(websocket_app("probe", pool), 0)
    folder = tmp_path_factory.getbasetemp() / "websocket0"
    yield WebSocketRig(server.port, folder / "seen")
    server.stop()


def test_connect_event_has_the_format_of_api_gateway(gateway: WebSocketRig) -> None:
    with gateway.open("?ticket=a%2Bb&many=1&many=2"):
        event = gateway.seen("$connect")[-1]

    assert event["queryStringParameters"] == {"ticket": "a+b", "many": "2"}
    assert event["multiValueQueryStringParameters"] == {"ticket": ["a+b"], "many": ["1", "2"]}
    assert event["headers"]["Sec-WebSocket-Version"] == "13"
    assert event["multiValueHeaders"]["Host"] == [gateway.address]
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["eventType"] == "CONNECT"
    assert context["domainName"] == "127.0.0.1"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["connectedAt"] <= context["requestTimeEpoch"]
    assert {"apiId", "stage", "requestId", "extendedRequestId"} <= set(context)


def test_connect_event_without_query_has_no_parameters(gateway: WebSocketRig) -> None:
    with gateway.open():
        assert "queryStringParameters" not in gateway.seen("$connect")[-1]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_handshake_is_refused_with_the_functions_status(gateway: WebSocketRig, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused, gateway.open(f"?status={status}"):
        pass

    assert refused.value.response.status_code == status


def test_handshake_is_refused_if_the_status_is_invalid(gateway: WebSocketRig) -> None:
    with pytest.raises(InvalidStatus) as refused, gateway.open("?status=99"):
        pass

    assert refused.value.response.status_code == 502


def test_boto3_sends_text_to_the_client(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        gateway.management.post_to_connection(
            ConnectionId=gateway.last_id(), Data="设备故障".encode()
        )

        assert socket.recv(timeout=10) == "设备故障"


def test_boto3_describes_a_connection(gateway: WebSocketRig) -> None:
    with gateway.open():
        found = gateway.management.get_connection(ConnectionId=gateway.last_id())

    assert found["Identity"]["SourceIp"] == "127.0.0.1"
    assert found["Identity"]["UserAgent"].startswith("Python/")
    assert found["ConnectedAt"] <= found["LastActiveAt"]


def test_boto3_closes_a_connection(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        connection_id = gateway.last_id()
        gateway.management.delete_connection(ConnectionId=connection_id)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)

    eventually(lambda: ended(gateway, connection_id) is not None, "$disconnect was invoked")
    assert (ended(gateway, connection_id) or {})["disconnectStatusCode"] == 1000


def ended(gateway: WebSocketRig, connection_id: str) -> dict[str, Any] | None:
    """Return the context of a connection's $disconnect."""
    contexts = [event["requestContext"] for event in gateway.seen("$disconnect")]
    return next((one for one in contexts if one["connectionId"] == connection_id), None)


def test_ended_connection_is_gone(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        connection_id = gateway.last_id()
        socket.close(1000, "bye")
    eventually(lambda: ended(gateway, connection_id) is not None, "$disconnect was invoked")

    api = gateway.management
    for operation in (api.get_connection, api.delete_connection):
        with pytest.raises(api.exceptions.GoneException):
            operation(ConnectionId=connection_id)
    with pytest.raises(api.exceptions.GoneException) as gone:
        api.post_to_connection(ConnectionId=connection_id, Data=b"late")
    assert gone.value.response["ResponseMetadata"]["HTTPStatusCode"] == 410
    assert (ended(gateway, connection_id) or {})["disconnectReason"] == "bye"


def test_messages_use_the_default_route(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        socket.send("你好")
        socket.send(b"\xff")
        eventually(lambda: len(gateway.seen("$default")) >= 2, "both messages arrived")
        text, binary = gateway.seen("$default")[-2:]

    assert (text["body"], text["isBase64Encoded"]) == ("你好", False)
    assert (binary["body"], binary["isBase64Encoded"]) == ("/w==", True)
    assert text["requestContext"]["eventType"] == "MESSAGE"
    assert text["requestContext"]["messageId"]


def test_client_receives_an_error_when_the_function_fails(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        socket.send("fail")
        told = json.loads(socket.recv(timeout=10))

    assert told["message"] == "Internal server error"
    assert told["connectionId"] == gateway.last_id()


def test_message_over_the_limit_closes_the_socket(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        socket.send("x" * (MAX_WEBSOCKET_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_boto3_cannot_send_more_than_the_limit(gateway: WebSocketRig) -> None:
    with gateway.open() as socket:
        connection_id, api = gateway.last_id(), gateway.management
        api.post_to_connection(ConnectionId=connection_id, Data=b"x" * MAX_WEBSOCKET_MESSAGE_BYTES)
        assert len(socket.recv(timeout=10)) == MAX_WEBSOCKET_MESSAGE_BYTES
        with pytest.raises(api.exceptions.PayloadTooLargeException):
            api.post_to_connection(
                ConnectionId=connection_id, Data=b"x" * (MAX_WEBSOCKET_MESSAGE_BYTES + 1)
            )


def test_function_is_invoked_asynchronously(gateway: WebSocketRig) -> None:
    context = {"routeKey": "by ourselves"}
    answer = gateway.functions.invoke(
        FunctionName="probe",
        InvocationType="Event",
        Payload=json.dumps({"requestContext": context}),
    )

    assert answer["StatusCode"] == 202
    eventually(lambda: bool(gateway.seen("by ourselves")), "the function was invoked")


def test_unknown_function_is_not_found(gateway: WebSocketRig) -> None:
    with pytest.raises(gateway.functions.exceptions.ResourceNotFoundException):
        gateway.functions.invoke(FunctionName="other", InvocationType="Event")


@pytest.mark.parametrize("path", ["/@connections/any", "/2015-03-31/functions/probe/invocations"])
def test_unsigned_request_is_refused(gateway: WebSocketRig, path: str) -> None:
    # A website in the developer's browser can send this.
    answer = httpx.post(f"http://{gateway.address}{path}", content="{}")

    assert answer.status_code == 403
