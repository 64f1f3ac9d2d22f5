"""Calls the operations function of a stack: its function URL, with signed requests.

The operator needs AWS credentials that may call ``cloudformation:DescribeStacks`` for the stack,
and ``lambda:InvokeFunctionUrl`` and ``lambda:InvokeFunction`` for the function, nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoCredentialsError, NoRegionError
from botocore.httpsession import URLLib3Session

from operations.errors import ExitCode, OpsError
from ops.aws_session import AWS_ERRORS, aws_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials
    from botocore.session import Session

OUTPUT: Final = "OperationsUrl"
"""The output of the stack that has the URL."""
_READ_SECONDS: Final = 130
"""Longer than the function's timeout."""
_QUICK: Final = Config(connect_timeout=10, read_timeout=30)
_OK: Final = 200
_FORBIDDEN: Final = 403
_THROTTLED: Final = 429
_EXPIRED: Final = "security token included in the request is expired"
"""What AWS says of temporary credentials; a signature also expires, if the clock is wrong."""


@dataclass(frozen=True, slots=True)
class FunctionUrlOperations:
    """The operations of a stack."""

    stack: str
    url: str
    session: Session = field(repr=False)

    @classmethod
    def of_stack(cls, stack: str) -> Self:
        """Look up the URL of a stack's function.

        Raises:
            OpsError: there are no credentials or no region, or the stack does not exist or has no
                such function.
        """
        session = aws_session()
        try:
            client: Any = session.create_client("cloudformation", config=_QUICK)
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        except NoRegionError:
            raise OpsError(
                f"cannot look up the stack {stack}: no region; set AWS_REGION, or AWS_PROFILE to a"
                " profile with a region"
            ) from None
        except NoCredentialsError:
            raise OpsError(
                f"cannot look up the stack {stack}: no AWS credentials; log in (aws sso login), or"
                " set AWS_PROFILE"
            ) from None
        except AWS_ERRORS as error:
            raise OpsError(
                f"cannot look up the stack {stack}: {error}; --stack and SCHEDULER_STACK are the"
                " stack_name of samconfig.toml, AWS_PROFILE and AWS_REGION its account and region"
            ) from None
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}
        if OUTPUT not in outputs:
            raise OpsError(f"the stack {stack} has no output {OUTPUT}; deploy this version first")
        return cls(stack, outputs[OUTPUT], session)

    @property
    def place(self) -> str:
        """Return the name of the stack."""
        return f"stack {self.stack}"

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation; see `ops.interface.Operations`."""
        body = json.dumps({"operation": operation, "arguments": arguments}).encode()
        status, answer = self._post(body)
        if status == _OK and "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        raise self._error(status, answer)

    def _post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        request = AWSRequest(
            "POST", self.url, headers={"Content-Type": "application/json"}, data=body
        )
        http = URLLib3Session(timeout=_READ_SECONDS)
        try:
            SigV4Auth(self._credentials(), "lambda", self._region()).add_auth(request)
            response = http.send(request.prepare())
            status = response.status_code
            answer = json.loads(response.content)
        except ValueError:
            return status, {}
        except BotoCoreError as error:
            raise OpsError(f"cannot reach the operations function: {error}") from None
        finally:
            http.close()
        return status, answer if isinstance(answer, dict) else {}

    def _credentials(self) -> Credentials:
        credentials = self.session.get_credentials()
        if credentials is None:
            raise OpsError("there are no AWS credentials; configure some, e.g. with AWS_PROFILE")
        return credentials

    def _region(self) -> str:
        return str(self.session.get_config_variable("region"))

    def _error(self, status: int, answer: Mapping[str, Any]) -> OpsError:
        if "error" in answer:
            code = ExitCode.USAGE if answer.get("code") == ExitCode.USAGE else ExitCode.FAILED
            told = answer.get("tellsProgress") is True
            return OpsError(str(answer["error"]), code, tells_progress=told)
        if status == _FORBIDDEN and _EXPIRED in str(answer.get("Message")):
            return OpsError(
                "your AWS credentials have expired; log in again (aws sso login), and start the"
                " command again"
            )
        said = answer.get("Message") or answer.get("message") or f"HTTP status {status}"
        hint = {
            _FORBIDDEN: "; your role needs lambda:InvokeFunctionUrl and lambda:InvokeFunction",
            _THROTTLED: "; others are using it, try again in a moment",
        }.get(status, "; see its log")
        return OpsError(f"the operations function of {self.stack} said: {said}{hint}")
