"""The generated part of README.md: the content of each file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from events.api_requests import REQUESTS, SampleRequest
from events.bad_samples import BAD
from events.samples import VALID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.samples import Sample, SampleMessage

_MARK: Final = "<!-- The rest of this file is generated; run python -m events.generate. -->\n"


def with_samples(readme: str) -> str:
    """Return the text with a new generated part.

    Raises:
        ValueError: the mark before the generated part is missing.
    """
    return readme[: readme.index(_MARK) + len(_MARK)] + "\n" + "\n".join(_sections())


def _sections() -> Iterable[str]:
    yield "## Valid, one of each event type\n"
    yield from (_sample("", sample) for sample in VALID)
    yield "## Invalid or unusual\n"
    yield from (_sample("bad/", sample) for sample in BAD)
    yield "## Requests to AllocationApiFunction\n"
    yield "| file | request | body | token | status | meaning |\n|---|---|---|---|---|---|"
    yield from map(_request, REQUESTS)
    yield ""


def _sample(folder: str, sample: Sample) -> str:
    function = f"{sample.family.capitalize()}EventsFunction"
    bodies = "\n".join(map(_body, sample.messages))
    return (
        f"**[{folder}{sample.name}.json]({folder}{sample.name}.json)** → {function}: "
        f"{sample.meaning}\n" + (f"```\n{bodies}\n```\n" if bodies else "")
    )


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
