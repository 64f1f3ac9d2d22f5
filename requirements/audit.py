"""``make audit``: looks up known vulnerabilities of the locked packages at osv.dev.

Exit codes: 0 none is known, 1 some are known, 2 the packages could not be looked up. pip-audit
itself also reports "no known vulnerabilities" if it has looked up nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_PIP_AUDIT: Final = Path(__file__).parents[1] / ".venv-audit/bin/pip-audit"
_OPTIONS: Final = ("--progress-spinner=off", "--disable-pip", "--format=json")
NOT_AUDITED: Final = (
    "NOT AUDITED: {why}. This says nothing about the packages: run `make audit` where"
    " https://api.osv.dev can be reached."
)


def main(lock_files: list[str], command: tuple[str, ...] = (str(_PIP_AUDIT), "-s", "osv")) -> int:
    """Audit lock files, print what is known, and return the exit code."""
    code = 0
    for file in lock_files:
        done = subprocess.run(
            [*command, *_OPTIONS, "-r", file], capture_output=True, text=True, check=False
        )
        try:
            dependencies = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            why = (done.stderr.strip().splitlines() or ["pip-audit printed nothing"])[-1]
            print(f"{file}: {NOT_AUDITED.format(why=why)}")
            return 2
        code = max(code, _report(file, dependencies))
    return code


def _report(file: str, dependencies: list[dict[str, Any]]) -> int:
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    found = [(one, vuln) for one in dependencies for vuln in one.get("vulns", ())]
    for package, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        known = f"{package['name']} {package['version']}: {vulnerability['id']}"
        print(f"{file}: {known}, fixed in {fixed}")
    if skipped:
        print(f"{file}: {NOT_AUDITED.format(why='not found: ' + ', '.join(skipped))}")
        return 2
    if not found:
        print(f"{file}: {len(dependencies)} packages, no vulnerability is known")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
