"""The part of README.md that says what is in each file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from events.table.api import REQUESTS, Request
from events.table.bad import BAD
from events.table.valid import VALID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.table.message import Delivery, Sample

MARK: Final = "<!-- From here on written by generate.py. -->\n"


def with_samples(readme: str) -> str:
    """Return the text with everything after the mark written anew.

    Raises:
        ValueError: the mark is missing.
    """
    return readme[: readme.index(MARK) + len(MARK)] + "\n" + "\n".join(_sections())


def _sections() -> Iterable[str]:
    yield "## Valid, one of each event type\n"
    yield from (_sample("", sample) for sample in VALID)
    yield "## Bad or unusual\n"
    yield from (_sample("bad/", sample) for sample in BAD)
    yield "## Requests to AllocationApiFunction\n"
    yield "| file | request | body | token | answer | shows |\n|---|---|---|---|---|---|"
    yield from map(_request, REQUESTS)
    yield ""


def _sample(folder: str, sample: Sample) -> str:
    function = f"{sample.family.capitalize()}EventsFunction"
    bodies = "\n".join(map(_body, sample.deliveries))
    return (
        f"**[{folder}{sample.name}.json]({folder}{sample.name}.json)** → {function}: "
        f"{sample.meaning}\n" + (f"```\n{bodies}\n```\n" if bodies else "")
    )


def _body(delivery: Delivery) -> str:
    try:
        return delivery.body.decode()
    except UnicodeDecodeError:
        return f"bytes {delivery.body.hex(' ')}"


def _request(request: Request) -> str:
    query = f"?{request.query}" if request.query else ""
    body = f"`{json.dumps(request.body)}`" if request.body is not None else ""
    token = request.claims["sub"] if request.claims else "–"
    return (
        f"| [{request.name}](api/{request.name}.json) | {request.method} {request.path}{query} "
        f"| {body} | {token} | {request.status} | {request.meaning} |"
    )
