"""A fake AWS endpoint for SES, SNS and the WebSocket management API.

Unlike moto it can reject, throttle and hang, and it returns the requests that it received.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable

EMAIL: Final = "/v2/email/outbound-emails"
SMS: Final = "/"
CONNECTIONS: Final = "/@connections/"

_SNS: Final = (
    '<{name}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{inner}</{name}Response>'
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its Unix time."""

    path: str
    raw: bytes
    at: float = field(default_factory=time.time)

    @property
    def body(self) -> Any:  # noqa: ANN401 - JSON, or a form
        """Return the JSON body, or the form fields of a request to SNS."""
        if self.path == SMS:
            return {name: values[0] for name, values in parse_qs(self.raw.decode()).items()}
        return json.loads(self.raw)


@dataclass(slots=True)
class Refusal:
    """An error response."""

    status: int
    code: str
    message: str = ""


@dataclass(slots=True)
class _Behaviour:
    refusals: dict[str, Refusal] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)


class Provider:
    """The endpoint; a path begins with `EMAIL`, `SMS` or `CONNECTIONS`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: list[Request] = []
        self._behaviour = _Behaviour()
        self._released = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._respond))
        self._server.daemon_threads = True
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        self._thread = Thread(target=serve, daemon=True)

    @property
    def url(self) -> str:
        """Return the endpoint."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def requests(self, path: str) -> list[Request]:
        """Return the requests below a path, in order; including refused ones."""
        with self._lock:
            return [one for one in self._requests if _below(one.path, path)]

    def refuse(self, path: str, refusal: Refusal | None) -> None:
        """Respond to requests below a path with an error; None accepts them again."""
        with self._lock:
            self._behaviour.refusals.pop(path, None)
            if refusal:
                self._behaviour.refusals[path] = refusal

    def hang(self, path: str) -> None:
        """Let requests below a path hang until `release`."""
        with self._lock:
            self._behaviour.hanging.add(path)

    def release(self) -> None:
        """Respond to the hanging requests."""
        with self._lock:
            self._behaviour.hanging.clear()
        self._released.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _respond(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self._requests.append(request)
            number = len(self._requests)
            hangs = any(_below(request.path, path) for path in self._behaviour.hanging)
            refusals = self._behaviour.refusals.items()
            refusal = next((r for path, r in refusals if _below(request.path, path)), None)
        if hangs:
            self._released.wait()
        return _refused(request, refusal) if refusal else _accepted(request, number)


def _below(path: str, prefix: str) -> bool:
    return path == prefix if prefix == SMS else path.startswith(prefix)


def _accepted(request: Request, number: int) -> tuple[int, dict[str, str], bytes]:
    if request.path == SMS:
        inner = f"<PublishResult><MessageId>sms-{number}</MessageId></PublishResult>"
        return 200, {"Content-Type": "text/xml"}, _SNS.format(name="Publish", inner=inner).encode()
    body = {"MessageId": f"mail-{number}"} if request.path == EMAIL else {}
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _refused(request: Request, refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    if request.path == SMS:
        inner = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
        xml = _SNS.format(name="Error", inner=inner).encode()
        return refusal.status, {"Content-Type": "text/xml"}, xml
    body = json.dumps({"message": refusal.message}).encode()
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": refusal.code}
    return refusal.status, headers, body


def _handler(
    respond: Callable[[Request], tuple[int, dict[str, str], bytes]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            raw = self.rfile.read(length)
            if len(raw) < length:
                return  # the client died while sending
            status, headers, body = respond(Request(self.path, raw))
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # the client has timed out

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
