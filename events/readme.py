"""The generated part of README.md: the content of each file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from events.api_requests import REQUESTS, SampleRequest
from events.bad_samples import BAD
from events.lists import rewritten
from events.samples import VALID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.samples import Sample, SampleMessage


def with_samples(readme: str) -> str:
    """Return the text with a new generated part."""
    return rewritten(readme, {"samples": _sections})


def _sections() -> Iterable[str]:
    yield from ("", "## Valid, one of each event type", "")
    for sample in VALID:
        yield from _sample("", sample)
    yield from ("## Invalid or unusual", "")
    for sample in BAD:
        yield from _sample("bad/", sample)
    yield from ("## Requests to AllocationApiFunction", "")
    yield "| file | request | body | token | status | meaning |"
    yield "|---|---|---|---|---|---|"
    yield from map(_request, REQUESTS)


def _sample(folder: str, sample: Sample) -> Iterable[str]:
    file = f"{folder}{sample.name}.json"
    yield f"**[{file}]({file})** → {sample.family.capitalize()}EventsFunction: {sample.meaning}"
    if sample.messages:
        yield from ("```", *map(_body, sample.messages), "```")
    yield ""


def _body(message: SampleMessage) -> str:
    try:
        return message.body.decode()
    except UnicodeDecodeError:
        return f"bytes {message.body.hex(' ')}"


def _request(request: SampleRequest) -> str:
    query = f"?{request.query}" if request.query else ""
    body = f"`{json.dumps(request.body)}`" if request.body is not None else ""
    token = request.claims["sub"] if request.claims else "–"
    return (
        f"| [{request.name}](api/{request.name}.json) | {request.method} {request.path}{query} "
        f"| {body} | {token} | {request.status} | {request.meaning} |"
    )
