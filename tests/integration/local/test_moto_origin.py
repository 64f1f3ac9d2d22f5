"""The local AWS answers no other website: it holds e-mails, tickets and secrets without a login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
import pytest

if TYPE_CHECKING:
    from local.servers.moto import Moto

PATHS: Final = ("/_aws/ses", "/moto-api/data.json", "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "rebound.example:{port}"},
        {"host": "rebound.example:{port}", "origin": "http://rebound.example:{port}"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_requests_of_other_websites_are_refused(moto: Moto, headers: dict[str, str]) -> None:
    sent = {name: value.format(port=moto.port) for name, value in headers.items()}

    for path in PATHS:
        for method in ("GET", "POST", "OPTIONS"):
            answer = httpx.request(method, moto.url + path, headers=sent)

            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "cloudphone"])
def test_own_page_and_functions_in_docker_are_answered(moto: Moto, name: str) -> None:
    host = f"{name}:{moto.port}"
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}

    assert httpx.get(f"{moto.url}/moto-api/", headers=headers).status_code == 200
    assert httpx.get(f"{moto.url}/moto-api/", headers={"host": host}).status_code == 200
