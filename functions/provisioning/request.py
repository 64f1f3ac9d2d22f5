"""What CloudFormation asks of a custom resource, and the answer it waits for."""

from __future__ import annotations

import json
import time
from typing import Final, Literal
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

_TIMEOUT: Final = 5
_PAUSES: Final = (1, 2)
_LONGEST_REASON: Final = 1000
"""Characters; the whole answer may have 4,096 bytes."""


class Request(BaseModel):
    """A request; fields as in
    docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html.
    """  # noqa: D205 - the address is long

    model_config = ConfigDict(alias_generator=to_pascal, frozen=True)

    request_type: Literal["Create", "Update", "Delete"]
    response_url: str = Field(alias="ResponseURL", pattern="^https?://")
    stack_id: str
    request_id: str
    logical_resource_id: str
    # Always the same: with another CloudFormation would delete the former after an update.
    physical_resource_id: str = "provisioning"

    @property
    def wants_resource(self) -> bool:
        """Return whether the resource is to be there, rather than to go."""
        return self.request_type != "Delete"

    def answer(self, failure: str | None = None) -> None:
        """Tell CloudFormation that it is done, or why not.

        Raises:
            OSError: the answer could not be delivered, three times. Lambda runs the whole
                request again then.
        """
        body = {
            "Status": "FAILED" if failure else "SUCCESS",
            "Reason": (failure or "")[:_LONGEST_REASON],
            "PhysicalResourceId": self.physical_resource_id,
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_resource_id,
        }
        for pause in _PAUSES:
            try:
                return self._put(body)
            except OSError:
                time.sleep(pause)
        return self._put(body)

    def _put(self, body: dict[str, str]) -> None:
        # The address is signed for an empty content type; urllib would send one of its own.
        request = HttpRequest(  # noqa: S310 - http(s) only, see response_url
            self.response_url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": ""},
            method="PUT",
        )
        with urlopen(request, timeout=_TIMEOUT):  # noqa: S310 - likewise
            pass
