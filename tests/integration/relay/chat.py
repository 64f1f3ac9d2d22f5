"""A chat that receives webhooks, and verifies them as its provider does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY: Final = "SEC-of-the-robot"


class Chat:
    """What arrived, and how the next message is answered."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.queries: list[dict[str, str]] = []
        self.status = 200
        self.answer = '{"errcode": 0, "code": 0, "errmsg": "ok"}'
        self.url = ""

    @property
    def message(self) -> Any:  # noqa: ANN401 - JSON
        """Return the only message that arrived."""
        (message,) = self.messages
        return message


@contextmanager
def running_chat() -> Iterator[Chat]:
    """Serve a chat on this machine."""
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            chat.messages.append(json.loads(body))
            query = parse_qs(urlsplit(self.path).query)
            chat.queries.append({name: values[0] for name, values in query.items()})
            self.send_response(chat.status)
            self.end_headers()
            self.wfile.write(chat.answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    chat.url = f"http://127.0.0.1:{server.server_port}/send?access_token=secret-token"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def signature(key: str, text: str) -> str:
    """Return the HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()
