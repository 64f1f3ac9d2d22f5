"""Draws what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.end_to_end import FASTSTREAM, OURS, PIKA
from bench.results import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENTS: Final = ("device.failed", "user.suspended × 10")


def draw(figures: Mapping[str, Any]) -> None:
    """Write ``bench/results/bench.svg``: releases per second, and by size of the batch."""
    mpl.use("svg")
    page, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    _contenders(left, figures["end to end"])
    _batches(right, figures["handler"])
    page.savefig(FOLDER / "bench.svg")
    plt.close(page)


def _contenders(axes: Any, rows: Mapping[str, Any]) -> None:  # noqa: ANN401 - matplotlib has no types here
    width = 0.27
    for number, name in enumerate((OURS, PIKA, FASTSTREAM)):
        heights = [rows[f"{event}: {name}"]["releases_per_second"] for event in _EVENTS]
        places = [index + (number - 1) * width for index in range(len(_EVENTS))]
        axes.bar_label(axes.bar(places, heights, width, label=name), fmt="{:,.0f}", fontsize=8)
    axes.set_xticks(range(len(_EVENTS)), _EVENTS)
    axes.set_title("Releases per second, from queue to commit")
    axes.legend()


def _batches(axes: Any, rows: Mapping[str, Any]) -> None:  # noqa: ANN401 - likewise
    for event in (*_EVENTS, "billing.payment_failed"):
        sizes = [n for n in (1, 10, 100, 1000) if f"{event}, batch {n}" in rows]
        rates = [rows[f"{event}, batch {n}"]["per_second"] for n in sizes]
        axes.loglog(sizes, rates, marker="o", label=event)
    axes.set_title("Handler: events per second by size of the batch")
    axes.set_xlabel("messages in a batch")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
