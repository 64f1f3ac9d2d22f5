"""CloudFormation's requests to a custom resource, and the answers it waits for."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.request import Request, urlopen

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

if TYPE_CHECKING:
    from collections.abc import Mapping

_HTTP_TIMEOUT: Final = 5
"""Seconds."""
_REVISION_LENGTH: Final = 16
_RETRY_DELAYS: Final = (1, 2)
MAX_REASON_BYTES: Final = 2500
"""The whole answer may have 4,096 bytes."""


class ResourceRequest(BaseModel):
    """A request for a custom resource.

    docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html describes it.
    """

    model_config = ConfigDict(alias_generator=to_pascal, frozen=True)

    request_type: Literal["Create", "Update", "Delete"]
    response_url: str = Field(alias="ResponseURL", pattern="^https?://")
    stack_id: str
    request_id: str
    logical_resource_id: str
    resource_properties: dict[str, Any] = Field(default_factory=dict)
    # If an update answered with another id, CloudFormation would delete the old resource.
    physical_resource_id: str = "provisioning"

    @property
    def is_delete(self) -> bool:
        """Return whether the resource is to be deleted."""
        return self.request_type == "Delete"

    @property
    def api_revision(self) -> str:
        """Return a hash of the configuration of the API, whose change publishes a version of it."""
        configuration = self.resource_properties.get("ApiConfiguration")
        return hashlib.sha256(json.dumps(configuration).encode()).hexdigest()[:_REVISION_LENGTH]

    def answer(self, failure: str | None = None) -> None:
        """Tell CloudFormation that the request succeeded, or why it failed.

        Raises:
            OSError: three attempts to deliver the answer failed. Lambda then invokes the function
                again.
        """
        body = {
            "Status": "FAILED" if failure else "SUCCESS",
            "Reason": (failure or "")
            .encode(errors="replace")[:MAX_REASON_BYTES]
            .decode(errors="ignore"),
            "PhysicalResourceId": self.physical_resource_id,
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_resource_id,
            "Data": {"ApiRevision": self.api_revision},
        }
        for delay in _RETRY_DELAYS:
            try:
                return self._put(body)
            except OSError:
                time.sleep(delay)
        return self._put(body)

    def _put(self, body: Mapping[str, object]) -> None:
        # The URL is signed for an empty content type; urllib would send its own.
        request = Request(  # noqa: S310 - http(s) only, see response_url
            self.response_url,
            data=json.dumps(body, ensure_ascii=False).encode(),
            headers={"Content-Type": ""},
            method="PUT",
        )
        with urlopen(request, timeout=_HTTP_TIMEOUT):  # noqa: S310 - as above
            pass
