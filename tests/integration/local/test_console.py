"""The console of the local platform: its API as an administrator, and the sent messages."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from local.aws import aws_client
from local.environment import SENDER
from local.gateway.console import console_token, local_console
from local.gateway.server import AsgiServer
from ops.console.access import TOKEN_HEADER
from ops.direct import DirectOperations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send


async def echo_api(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the path and the token that the API receives."""
    seen = {"path": scope["path"], "authorization": Headers(scope=scope).get("authorization")}
    await JSONResponse(seen)(scope, receive, send)


_MAIL = "<title>no</title><style>p {}</style><p style='margin: 0'>Hello &amp;\n <b>x</b>"


@contextmanager
def console(folder: Path, aws_url: str = "http://127.0.0.1:1") -> Iterator[httpx.Client]:
    operations = DirectOperations("amqp://u:p@127.0.0.1:1/x")
    app, token = local_console(operations, echo_api, lambda: "admin", aws_url, folder)
    server = AsgiServer(app, 0)
    url, headers = f"http://127.0.0.1:{server.port}", {TOKEN_HEADER: token}
    with httpx.Client(base_url=url, headers=headers) as client:
        yield client
    server.stop()


def test_api_is_called_with_an_administrators_token(tmp_path: Path) -> None:
    with console(tmp_path) as page:
        response = page.get("/api/devices", headers={"authorization": "Bearer mine"})
        config = page.get("/console/config").json()

    assert response.json() == {"path": "/api/devices", "authorization": "Bearer admin"}
    assert (config["isLocal"], config["allowPublish"]) == (True, True)


def test_token_survives_a_restart_and_is_its_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    token = console_token(folder)

    assert token == console_token(folder)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_sent_messages_are_listed_newest_first(aws_url: str, tmp_path: Path) -> None:
    ses, sns = aws_client("sesv2", aws_url), aws_client("sns", aws_url)
    for number in ("1", "2"):
        ses.send_email(
            FromEmailAddress=SENDER,
            Destination={"ToAddresses": [f"user-{number}@example.com"]},
            Content={
                "Simple": {"Subject": {"Data": f"题 {number}"}, "Body": {"Html": {"Data": _MAIL}}}
            },
        )
        sns.publish(PhoneNumber="+8613800138000", Message=f"文 {number}")

    with console(tmp_path, aws_url) as client:
        shown = client.get("/console/messages").json()

    assert shown == {
        "mails": [
            {"to": f"user-{number}@example.com", "subject": f"题 {number}", "text": "Hello & x"}
            for number in ("2", "1")
        ],
        "sms": [{"to": "+8613800138000", "text": f"文 {number}"} for number in ("2", "1")],
        "totals": {"mails": 2, "sms": 2},
    }
