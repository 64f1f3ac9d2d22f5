"""``python -m ops``."""

from __future__ import annotations

from ops.cli import app

if __name__ == "__main__":
    app(prog_name="scheduler-ops")
