"""An alarm as CloudWatch publishes it to SNS.

Metric alarms and composite alarms have the fields that are read here in common:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINK: Final = re.compile(r"\s*(\S*docs/runbooks\.md)#(\S+)\s*$")
_MAX_REASON: Final = 500


class Alarm(NamedTuple):
    """A change of an alarm's state.

    ``docs`` is the address of the runbooks without the section, which is ``section``; both are
    empty if the description has no link. ``at`` is None if the message names no time. ``former``
    is the state before.
    """

    name: str
    state: str
    summary: str
    reason: str
    docs: str
    section: str
    at: datetime | None
    former: str

    @property
    def is_new(self) -> bool:
        """Return whether this is the first OK of an alarm that was just created."""
        return self.is_over and self.former == "INSUFFICIENT_DATA"

    @property
    def is_over(self) -> bool:
        """Return whether the alarm has ended."""
        return self.state == "OK"

    @classmethod
    def of(cls, notification: Mapping[str, Any]) -> Alarm:
        """Return the alarm in an SNS notification; any other message becomes an alarm, too.

        Operators publish messages to the topic to test it.
        """
        text = str(notification.get("Message") or "")
        found = _json_object(text)
        if "AlarmName" not in found:
            subject = str(notification.get("Subject") or "")
            return cls(subject, "", text[:_MAX_REASON], "", "", "", None, "")
        description = str(found.get("AlarmDescription") or found["AlarmName"])
        link = _LINK.search(description)
        return cls(
            str(found["AlarmName"]),
            str(found.get("NewStateValue") or ""),
            description[: link.start()] if link else description,
            str(found.get("NewStateReason") or "")[:_MAX_REASON],
            link[1] if link else "",
            link[2] if link else "",
            _time(found.get("StateChangeTime")),
            str(found.get("OldStateValue") or ""),
        )


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
