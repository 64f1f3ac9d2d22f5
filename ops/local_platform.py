"""Finds the local platform: ``.local/endpoints.json`` of this checkout."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

from operations.context import AWS_TIMEOUTS
from operations.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.context import EventOutcomes
    from scheduler.payments.counter import PaymentFailures

_STATE_VARIABLE: Final = "CLOUDPHONE_STATE_DIR"
_CHECKOUT: Final = Path(__file__).resolve().parent.parent
_FILE: Final = "endpoints.json"
_CONSUMED: Final = re.compile(r"^scheduler_event_consumed_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_HTTP_TIMEOUT_SECONDS: Final = 2.0
_REGION: Final = "ap-southeast-1"
"""Of the embedded AWS."""


def endpoints() -> dict[str, Any] | None:
    """Return the addresses of the running local platform; None if it is not running.

    Looked for in ``CLOUDPHONE_STATE_DIR``, else in the checkout that contains this program, else
    in the current folder.

    Raises:
        OpsError: its file is damaged, or belongs to another user.
    """
    if given := os.environ.get(_STATE_VARIABLE):
        return _read(Path(given) / _FILE)
    return _read(_CHECKOUT / ".local" / _FILE) or _read(Path.cwd() / ".local" / _FILE)


def outcomes(api_url: str) -> EventOutcomes | None:
    """Return the platform's counts since its start; None if it does not respond."""
    try:
        with urlopen(f"{api_url}/metrics", timeout=_HTTP_TIMEOUT_SECONDS) as response:  # noqa: S310 - the platform's own address
            text = response.read().decode()
    except (OSError, ValueError):
        return None
    counts: EventOutcomes = {}
    for labels, value in _CONSUMED.findall(text):
        named = dict(_LABEL.findall(labels))
        counts.setdefault(named["event_type"], {})[named["status"]] = int(float(value))
    return counts


def payments(found: Mapping[str, Any]) -> PaymentFailures:
    """Return the counter of failed payments of a platform, given its addresses.

    Raises:
        OpsError: there is no platform, or it is of a version that does not name the table.
    """
    if "payment_failures_table" not in found:
        raise OpsError("the table of failed payments is known for a stack and make run only")
    return _payments(found["aws"], found["payment_failures_table"])


@cache
def _payments(aws_url: str, table: str) -> PaymentFailures:
    from botocore.config import Config  # noqa: PLC0415 - botocore: 200 ms
    from botocore.session import Session  # noqa: PLC0415 - as above

    from scheduler.payments.counter import PaymentFailures  # noqa: PLC0415 - as above
    from scheduler.payments.table import FailureTable  # noqa: PLC0415 - as above

    client: Any = Session().create_client(
        "dynamodb",
        endpoint_url=aws_url,
        region_name=_REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the embedded AWS accepts any
        config=Config(**AWS_TIMEOUTS),
    )
    return PaymentFailures(FailureTable(client, table), timedelta())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise OpsError(
            f"cannot read the addresses of the local platform: {path}: {error}; start it again"
            " (make run), or name a stack (--stack)"
        ) from None
    return found
