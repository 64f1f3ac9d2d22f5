"""The figures of a run: printed, written to ``bench/results/`` as JSON and Markdown, and drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bench.end_to_end import BATCHER, FASTSTREAM, OURS, PIKA
from bench.machine import Machine, describe
from bench.targets import TARGETS
from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLDER: Final = ROOT / "bench" / "results"
_DRAWN_EVENTS: Final = ("device.failed", "user.suspended × 10")
_NO_DECIMALS_FROM: Final = 100


@dataclass(slots=True)
class Results:
    """Figures by section and name, and the machine that they were measured on."""

    machine: Machine
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, section: str, found: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Add the figures of a section and print each as soon as it is measured."""
        into = self.figures.setdefault(section, {})
        for name, figures in found:
            into[name] = figures
            print(f"  {name:<42} {_line(figures)}", flush=True)

    def write(self) -> None:
        """Write all figures as JSON, and the tables as Markdown for docs/performance.md."""
        FOLDER.mkdir(exist_ok=True)
        document = {
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            **self.machine,
            **self.figures,
        }
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (FOLDER / "bench.json").write_text(text, encoding="utf-8")
        (FOLDER / "tables.md").write_text("\n".join(self.tables()), encoding="utf-8")

    def draw(self) -> None:
        """Draw releases per second, and events per second by batch size, into ``bench.svg``."""
        import matplotlib as mpl  # noqa: PLC0415 - installed in .venv-bench only
        from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

        mpl.use("svg")
        page, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
        _draw_contenders(left, self.figures["end to end"])
        _draw_batch_sizes(right, self.figures["handler"])
        page.savefig(FOLDER / "bench.svg")
        plt.close(page)

    def targets(self) -> Iterator[str]:
        """Yield a Markdown table of the targets and the figures reached."""
        yield "| | target | reached |"
        yield "|---|---|---|"
        for target in TARGETS:
            reached = target.reached(self.figures)
            mark = "" if target.met(reached) else " **missed**"
            yield f"| {target.what} | {target.wanted} | {number(reached)}{target.unit}{mark} |"

    def tables(self) -> Iterator[str]:
        """Yield all figures as Markdown tables."""
        yield describe(self.machine)
        yield ""
        yield from self.targets()
        for section, rows in self.figures.items():
            columns = list(dict.fromkeys(key for row in rows.values() for key in row))
            yield from ("", f"### {section}", "")
            yield f"| | {' | '.join(column.replace('_', ' ') for column in columns)} |"
            yield "|---" * (len(columns) + 1) + "|"
            for name, row in rows.items():
                cells = (number(row[c]) if c in row else "" for c in columns)
                yield f"| {name} | {' | '.join(cells)} |"


def number(value: float) -> str:
    """Return a figure with its significant digits."""
    if isinstance(value, int) or value >= _NO_DECIMALS_FROM:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def _line(figures: Mapping[str, Any]) -> str:
    return "   ".join(f"{name.replace('_', ' ')} {number(v)}" for name, v in figures.items())


def _draw_contenders(axes: Any, rows: Mapping[str, Any]) -> None:  # noqa: ANN401 - matplotlib publishes no types
    width = 0.2
    for number, name in enumerate((OURS, BATCHER, PIKA, FASTSTREAM)):
        measured = [
            (index, rows[f"{event}: {name}"]["releases_per_second"])
            for index, event in enumerate(_DRAWN_EVENTS)
            if f"{event}: {name}" in rows  # the batches are written for one event only
        ]
        places = [index + (number - 1.5) * width for index, _ in measured]
        bars = axes.bar(places, [height for _, height in measured], width, label=name)
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_xticks(range(len(_DRAWN_EVENTS)), _DRAWN_EVENTS)
    axes.set_title("Releases per second, from queue to commit")
    axes.legend()


def _draw_batch_sizes(axes: Any, rows: Mapping[str, Any]) -> None:  # noqa: ANN401 - as above
    for event in (*_DRAWN_EVENTS, "billing.payment_failed"):
        sizes = [n for n in (1, 10, 100, 1000) if f"{event}, batch {n}" in rows]
        rates = [rows[f"{event}, batch {n}"]["per_second"] for n in sizes]
        axes.loglog(sizes, rates, marker="o", label=event)
    axes.set_title("Handler: events per second by size of the batch")
    axes.set_xlabel("messages in a batch")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
