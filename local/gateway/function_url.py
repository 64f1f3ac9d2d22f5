"""A function URL with IAM authentication: verifies signatures and passes the caller on.

docs.aws.amazon.com/lambda/latest/dg/urls-auth.html; the event has payload format 2.0:
docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads. As in AWS, a request
without a valid signature is answered before the function is invoked.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.requests import Request
from starlette.responses import JSONResponse

from local.gateway.payload import http_response
from local.lambda_runtime.environment import FunctionError, PayloadTooLargeError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from local.lambda_runtime.environment import EnvironmentPool

_SERVICE: Final = "lambda"
_MAX_SKEW: Final = timedelta(minutes=5)
_TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_ACCOUNT: Final = "000000000000"
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([\w-]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request,"
    r" ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})"
)
_MUST_BE_SIGNED: Final = frozenset(("host", "x-amz-date"))


@dataclass(frozen=True, slots=True)
class LocalIdentity:
    """The one identity whose signatures are accepted."""

    access_key: str
    secret_key: str = field(repr=False)
    arn: str

    @classmethod
    def new(cls) -> Self:
        """Return an identity with a random secret."""
        arn = f"arn:aws:iam::{_ACCOUNT}:user/local-operator"
        return cls("AKIALOCALOPERATOR", secrets.token_urlsafe(30), arn)


class FunctionUrl:
    """An ASGI application that invokes a function with signed requests."""

    def __init__(self, pool: EnvironmentPool, identity: LocalIdentity) -> None:
        self._pool = pool
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        request = Request(scope, receive)
        body = await request.body()
        response = await self._respond(request, body)
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: bytes) -> Response:
        if not self._is_signed(request, body):
            return JSONResponse({"Message": "Forbidden"}, 403)
        event = _event(request, body, self._identity)
        try:
            result = await asyncio.wrap_future(self._pool.submit(json.dumps(event).encode()))
        except PayloadTooLargeError:
            return JSONResponse({"Message": "Request Entity Too Large"}, 413)
        except FunctionError:
            return JSONResponse({"Message": "Internal Server Error"}, 502)
        return http_response(result)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            return False
        access_key, _, region, service, signed, signature = found.groups()
        names = signed.split(";")
        stamp = request.headers.get("x-amz-date", "")
        if (
            access_key != self._identity.access_key
            or service != _SERVICE
            or not _MUST_BE_SIGNED.issubset(names)
            or not _is_recent(stamp)
        ):
            return False
        copy = AWSRequest(
            request.method,
            str(request.url),
            headers={name: request.headers.get(name, "") for name in names},
            data=body,
        )
        copy.context["timestamp"] = stamp
        credentials = Credentials(self._identity.access_key, self._identity.secret_key)
        auth = SigV4Auth(credentials, service, region)
        text = auth.string_to_sign(copy, auth.canonical_request(copy))
        return hmac.compare_digest(auth.signature(text, copy), signature)


def _is_recent(stamp: str) -> bool:
    try:
        moment = datetime.strptime(f"{stamp}+0000", f"{_TIME_FORMAT}%z")
    except ValueError:
        return False
    return abs(datetime.now(UTC) - moment) <= _MAX_SKEW


def _event(request: Request, body: bytes, identity: LocalIdentity) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.url.path,
        "rawQueryString": request.url.query,
        "headers": dict(request.headers),
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": "local",
            "authentication": None,
            "authorizer": {
                "iam": {
                    "accessKey": identity.access_key,
                    "accountId": _ACCOUNT,
                    "callerId": identity.access_key,
                    "cognitoIdentity": None,
                    "principalOrgId": None,
                    "userArn": identity.arn,
                    "userId": identity.access_key,
                }
            },
            "domainName": request.headers.get("host", "").partition(":")[0],
            "http": {
                "method": request.method,
                "path": request.url.path,
                "protocol": f"HTTP/{request.scope['http_version']}",
                "sourceIp": request.client.host if request.client else "",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": secrets.token_hex(8),
            "routeKey": "$default",
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S} +0000",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "body": body.decode("utf-8", "replace"),
        "isBase64Encoded": False,
    }
