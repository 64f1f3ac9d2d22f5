"""A fake CloudFormation that sends requests to a custom resource and receives its answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self


class CloudFormation:
    """Receives answers as a presigned S3 URL does; refuses the first ``refusals`` of them."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.refusals = 0
        outer = self

        class Bucket(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.refusals or self.headers["Content-Type"]:
                    outer.refusals -= 1
                    return self.send_error(503)
                outer.answers.append(json.loads(body))
                self.send_response(200)
                return self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Return the port that receives answers."""
        return self._server.server_port

    def request(self, kind: str, **more: str) -> dict[str, Any]:
        """Return a request as the function receives it."""
        return {
            "RequestType": kind,
            "ResponseURL": f"http://127.0.0.1:{self.port}/answer?Signature=x",
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/cloudphone/1",
            "RequestId": f"{kind}-1",
            "ResourceType": "AWS::CloudFormation::CustomResource",
            "LogicalResourceId": "Provisioning",
            "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:provisioning",
            "ResourceProperties": {"Layer": "arn:aws:lambda:us-east-1:123456789012:layer:x:1"},
            **more,
        }

    @property
    def answer(self) -> dict[str, Any]:
        """Return the only answer."""
        (answer,) = self.answers
        return answer


@dataclass(frozen=True)
class Invocation:
    """The context of an invocation with some seconds left."""

    seconds: float = 300
    log_stream_name: str = field(default="2026/11/24/[1]abc")

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)
