"""What was measured: kept under ``bench/results/``, printed as a table and drawn."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bench.targets import TARGETS
from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLDER: Final = ROOT / "bench" / "results"
_LARGE: Final = 100


@dataclass(slots=True)
class Results:
    """Figures by section and name."""

    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, section: str, found: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Add the figures of a section, and print each as soon as it is there."""
        into = self.figures.setdefault(section, {})
        for name, figures in found:
            into[name] = figures
            print(f"  {name:<42} {_line(figures)}", flush=True)

    def write(self) -> None:
        """Write all of it as JSON, and the tables as Markdown for docs/performance.md."""
        FOLDER.mkdir(exist_ok=True)
        document = {
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
            **self.figures,
        }
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (FOLDER / "bench.json").write_text(text, encoding="utf-8")
        (FOLDER / "tables.md").write_text("\n".join(self.tables()), encoding="utf-8")

    def targets(self) -> Iterator[str]:
        """Yield a Markdown table of the targets and what was reached."""
        yield "| | target | reached |"
        yield "|---|---|---|"
        for target in TARGETS:
            reached = target.reached(self.figures)
            mark = "" if target.met(reached) else " **missed**"
            yield f"| {target.what} | {target.wanted} | {number(reached)}{target.unit}{mark} |"

    def tables(self) -> Iterator[str]:
        """Yield all figures as Markdown tables."""
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
    """Return a figure with as many digits as mean something."""
    if isinstance(value, int) or value >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def _line(figures: Mapping[str, Any]) -> str:
    return "   ".join(f"{name.replace('_', ' ')} {number(v)}" for name, v in figures.items())
