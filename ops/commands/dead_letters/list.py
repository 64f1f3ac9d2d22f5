"""``scheduler-ops dead-letters list``."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group as RichGroup

from ops import options
from ops.commands.dead_letters import selecting
from ops.dead_letters.groups import grouped
from ops.dead_letters.selection import Filter
from ops.dead_letters.tables import groups_table
from ops.terminal import handled_errors, print_result


def list_letters(
    *,
    queue: selecting.QueueOption = None,
    error: selecting.ErrorOption = None,
    ids: selecting.IdOption = None,
    older_than: selecting.OlderThanOption = None,
    newer_than: selecting.NewerThanOption = None,
    broker: options.BrokerUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Count dead letters by original queue and error.

    Errors that differ only in ids and numbers are counted together.
    """
    now = datetime.now(UTC)
    with handled_errors(as_json=as_json):
        chosen = Filter(selecting.selection(queue, error, ids, older_than, newer_than, now))
        with selecting.current_letters(options.broker_url(broker)) as letters:
            groups = grouped(one.letter for one in chosen.apply(letters))
        data = {
            "total": chosen.total,
            "matched": chosen.matched,
            "groups": [group.to_json() for group in groups],
        }
        summary = _summary(chosen)
        text = RichGroup(groups_table(groups, now), "", summary) if groups else summary
        print_result(text, data, as_json=as_json)


def _summary(chosen: Filter) -> str:
    if chosen.total and not chosen.matched:
        return f"{chosen.no_match_message}."
    total = f"{chosen.total} dead letter{'' if chosen.total == 1 else 's'}"
    selected = "" if chosen.matched == chosen.total else f", {chosen.matched} of them selected"
    return f"{total}{selected}."
