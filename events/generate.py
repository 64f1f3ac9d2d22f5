"""Write the sample files of this folder, or print a new copy of one.

Without arguments all files are written. With the name of a sample it is printed with new message
ids: a message that was done once is a duplicate ever after.
"""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from events.http_api import sample_event
from events.readme import with_samples
from events.table.api import REQUESTS
from events.table.bad import BAD
from events.table.valid import VALID
from local.event_source_mapping.record import event_json, record_json
from scheduler.messaging.topology import VHOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.table.message import Delivery, Sample

FOLDER: Final = Path(__file__).parent


def mq_event(sample: Sample) -> dict[str, Any]:
    """Return the invocation event of a sample, made by the local event source mapping's code."""
    whole: dict[str, Any] = {"rmqMessagesByQueue": {}}
    for queue in sample.queues:
        mine = [delivery for delivery in sample.deliveries if delivery.queue == queue]
        one = json.loads(event_json(queue, VHOST, map(_record, mine)))
        whole = one | {
            "rmqMessagesByQueue": whole["rmqMessagesByQueue"] | one["rmqMessagesByQueue"]
        }
    return whole


def _record(delivery: Delivery) -> bytes:
    return record_json(delivery.properties, delivery.body, redelivered=False)


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file, relative to this folder, with its content."""
    for sample in VALID:
        yield Path(f"{sample.name}.json"), _pretty(mq_event(sample))
    for sample in BAD:
        yield Path("bad", f"{sample.name}.json"), _pretty(mq_event(sample))
    for request in REQUESTS:
        yield Path("api", f"{request.name}.json"), _pretty(sample_event(request))
    readme = Path("README.md")
    yield readme, with_samples((FOLDER / readme).read_text("utf-8"))


def renewed(sample: Sample) -> Sample:
    """Return the same messages under ids that nobody has seen."""
    return replace(sample, deliveries=tuple(map(_renewed, sample.deliveries)))


def _renewed(delivery: Delivery) -> Delivery:
    properties = copy.copy(delivery.properties)
    properties.message_id = str(uuid4())
    return replace(delivery, properties=properties)


def _pretty(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, indent=2) + "\n"


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says.

    Raises:
        SystemExit: there is no sample of that name.
    """
    if not arguments:
        for path, content in files():
            (FOLDER / path).parent.mkdir(exist_ok=True)
            (FOLDER / path).write_text(content, "utf-8")
        return
    samples = {sample.name: sample for sample in (*VALID, *BAD)}
    if arguments[0] not in samples:
        sys.exit(f"no sample {arguments[0]!r}; there are: {', '.join(samples)}")
    print(_pretty(mq_event(renewed(samples[arguments[0]]))), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
