"""``python -m tests.structure [PATH]``: figures of a source tree, such as one of an older commit.

To measure a commit: ``git worktree add ../old COMMIT``, then give ``../old`` as PATH.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.structure.source import (
    FOLDERS,
    calls_of,
    circles,
    import_graph,
    line_counts,
    package_graph,
    read_modules,
    repeated_types,
    zone_replacements,
)

COUNTED = (*FOLDERS, "tests")
SHORT = 30


def repeated_file_names(root: Path) -> list[str]:
    """Return the names that several files have, other than those of packages and programs."""
    names = Counter(path.name for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    return [f"{name} × {n}" for name, n in names.most_common() if n > 1 and name[0] != "_"]


def main(root: Path) -> None:
    print(f"{'Python':<12}{'files':>8}{'lines':>8}{'mean':>8}{f'< {SHORT}':>8}")
    for folder in COUNTED:
        found = line_counts(root, [folder]).values()
        short = sum(one < SHORT for one in found)
        mean = sum(found) / max(1, len(found))
        print(f"{folder:<12}{len(found):>8}{sum(found):>8}{mean:>8.0f}{short:>8}")

    counts = line_counts(root, COUNTED).items()
    packages = [lines for path, lines in counts if path.endswith("__init__.py")]
    modules = read_modules(root)
    repeated = [f"{name} ({', '.join(found)})" for name, found in repeated_types(modules).items()]
    show("__init__.py of one line", sum(one <= 1 for one in packages))
    show("calls of commit()", calls_of("commit", modules))
    show("calls of hand_over()", calls_of("hand_over", modules))
    show("replace(tzinfo=) outside scheduler.database", zone_replacements(modules))
    show("public types with several definitions", repeated)
    show("file names used several times", repeated_file_names(root))
    show("import circles", [" ↔ ".join(one) for one in circles(import_graph(modules))])
    show(
        "circles of scheduler's packages",
        [" ↔ ".join(one) for one in circles(package_graph(modules))],
    )


def show(name: str, found: int | list[str]) -> None:
    """Print a figure and, of a list, its items."""
    print(f"\n{name}: {found if isinstance(found, int) else len(found)}")
    for one in found if isinstance(found, list) else ():
        print(f"  {one}")


main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
