"""Generates the lists of events in templates and documents from `WORK_QUEUES` and the contracts.

Each list is between a comment ``generated: NAME`` and a comment ``end of generated``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from events import chinese
from events.bodies import SMALLEST
from events.contracts.documented import plain
from events.contracts.produced import EXAMPLES, PRODUCED
from events.repairs import table_of_refusals, table_of_repairs
from local.paths import ROOT
from operations.event_bodies import CONTRACTS, fields
from scheduler.messaging.topology import WORK_QUEUES
from scheduler.settings import MAX_SHARDS
from scheduler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scheduler.messaging.contract import Event
    from scheduler.messaging.topology import WorkQueue

_EXAMPLE_IDS: Final = {"deviceId": "device-001", "userId": "user-123"}
_IN_EVERY_EVENT: Final = {"eventId", "version"}

_ROOT_OF_REGION: Final = re.compile(r"^Amazon RDS (\S+) Root CA RSA2048 G1,", re.MULTILINE)

_MARKED: Final = re.compile(
    r"(?P<begin>^(?P<indent> *)(?:- )?(?:#|<!--) generated: (?P<name>[\w-]+).*\n)"
    r"(?s:.*?)"
    r"(?P<end>^ *(?:#|<!--) end of generated.*\n)",
    re.MULTILINE,
)


def files_with_lists() -> Iterator[tuple[Path, str]]:
    """Yield the path of each file, relative to the repository, and its content with new lists."""
    for path, lists in _FILES.items():
        yield Path(path), rewritten((ROOT / path).read_text("utf-8"), lists)


def rewritten(text: str, lists: Mapping[str, Callable[[], Iterable[str]]]) -> str:
    """Return a text with the lines between its marks replaced.

    Raises:
        ValueError: the comments in the text do not match the lists.
    """
    if (found := [match["name"] for match in _MARKED.finditer(text)]) != list(lists):
        raise ValueError(f"found the comments {found}, expected {list(lists)}")

    def replaced(match: re.Match[str]) -> str:
        # `- # generated: …` starts a nested YAML list, whose items are indented further.
        indent = match["end"][: len(match["end"]) - len(match["end"].lstrip())]
        lines = "".join(f"{indent}{line}\n" if line else "\n" for line in lists[match["name"]]())
        return match["begin"] + lines + match["end"]

    return _MARKED.sub(replaced, text)


def contract_of(queue: WorkQueue) -> type[Event]:
    """Return the contract of a queue's event.

    Raises:
        LookupError: the event has no contract; the message names the file to add it to.
    """
    if queue.event_type not in CONTRACTS:
        raise LookupError(
            f"{queue.event_type} has no contract: add one to"
            f" functions/{queue.family}_events/contracts.py"
        )
    return CONTRACTS[queue.event_type]


def _short_name(queue: WorkQueue) -> str:
    return queue.name.removeprefix("scheduler.")


def _consumers() -> Iterator[str]:
    families = Counter(queue.family for queue in WORK_QUEUES)
    for shards in range(1, MAX_SHARDS + 1):
        queues = ", ".join(f"{name.capitalize()}: {n * shards}" for name, n in families.items())
        yield f'"{shards}": {{{queues}, All: {len(WORK_QUEUES) * shards}}}'


def _environments() -> Iterator[str]:
    """Yield a rule for each number of shards; rules cannot calculate, only search lists."""
    queues = max(Counter(queue.family for queue in WORK_QUEUES).values())
    for shards in range(1, MAX_SHARDS + 1):
        enough = queues * shards
        too_few = ", ".join(f'"{n}"' for n in range(1, enough))
        yield from _RULE.format(shards=shards, too_few=too_few, enough=enough).splitlines()


_RULE: Final = """\
EnvironmentsOfShards{shards}:
  RuleCondition: !Equals [!Ref Shards, {shards}]
  Assertions:
    - Assert: !Not [!Contains [[{too_few}], !Ref EventConcurrency]]
      AssertDescription: EventConcurrency must be 0, or {enough} or more, with Shards={shards}.
"""


def _event_sources(family: str) -> Callable[[], Iterator[str]]:
    def lines() -> Iterator[str]:
        for queue in WORK_QUEUES:
            if queue.family == family:
                name = queue.event_type.partition(".")[2].title().replace("_", "")
                yield from _EVENT_SOURCE.format(name=name, queue=queue.name).splitlines()

    return lines


_EVENT_SOURCE: Final = """\
{name}:
  Type: MQ
  Properties:
    Broker: !GetAtt Infrastructure.Outputs.BrokerArn
    Queues: [{queue}]
    BatchSize: !Ref BatchSize
    SourceAccessConfigurations:
      - Type: BASIC_AUTH
        URI: !GetAtt Infrastructure.Outputs.BrokerConsumerSecretArn
      - Type: VIRTUAL_HOST
        URI: cloudphone
"""


def _queues() -> Iterator[str]:
    return (f"- {_short_name(queue)}" for queue in WORK_QUEUES)


def _informational_events() -> Iterator[str]:
    informational = (queue for queue in WORK_QUEUES if not contract_of(queue).critical)
    return (f"- {queue.event_type}" for queue in informational)


def _functions_of_queues() -> Iterator[str]:
    return (f"{_short_name(queue)}: {{Name: {queue.family}-events}}" for queue in WORK_QUEUES)


def _version() -> Iterator[str]:
    yield f'Value: "{VERSION}"'


def _regions() -> Iterator[str]:
    """Yield the regions whose RDS certificates rds-ca.pem verifies."""
    roots = (ROOT / "layers/scheduler/rds-ca.pem").read_text("utf-8")
    return (f"- {region}" for region in dict.fromkeys(_ROOT_OF_REGION.findall(roots)))


def _table_of_events() -> Iterator[str]:
    yield "| routing key | smallest body | optional fields | |"
    yield "|---|---|---|---|"
    for queue in WORK_QUEUES:
        body = {k: _EXAMPLE_IDS.get(k, v) for k, v in SMALLEST[queue.event_type].items()}
        optional = ", ".join(
            f"`{field.path}`"
            for field in fields(queue.event_type)
            if not field.required and field.path not in _IN_EVERY_EVENT
        )
        kind = "critical" if contract_of(queue).critical else "informational"
        text = json.dumps(body, ensure_ascii=False)
        yield f"| `{queue.event_type}` | `{text}` | {optional} | {kind} |"


def _produced_events() -> Iterator[str]:
    yield "| routing key | example | |"
    yield "|---|---|---|"
    for event in PRODUCED:
        text = json.dumps(EXAMPLES[event.event_type])
        yield f"| `{event.event_type}` | `{text}` | {plain(event.__doc__)} |"


_FILES: Final[dict[str, dict[str, Callable[[], Iterable[str]]]]] = {
    "template.yaml": {
        "regions": _regions,
        "environments": _environments,
        "consumers": _consumers,
        "device-events": _event_sources("device"),
        "user-events": _event_sources("user"),
        "billing-events": _event_sources("billing"),
        "version": _version,
    },
    "infrastructure/operations.yaml": {
        "queues": _queues,
        "informational-events": _informational_events,
    },
    "infrastructure/shard.yaml": {"functions": _functions_of_queues, "queues": _queues},
    "docs/events.md": {
        "events": _table_of_events,
        "repairs": table_of_repairs,
        "refusals": table_of_refusals,
        "produced": _produced_events,
    },
    "docs/zh-CN/events.md": {
        "events": chinese.table_of_events,
        "repairs": chinese.table_of_repairs,
        "refusals": chinese.table_of_refusals,
        "produced": chinese.table_of_produced_events,
    },
}
