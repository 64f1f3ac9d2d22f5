"""Runs plain sam commands in a folder, and prints the exit code and the output of each as JSON.

Runs in .venv-sam. All commands run in one process, because sam takes seconds to start.
"""

import importlib
import json
import os
import sys

from click.testing import CliRunner

MODULES = {
    "build": "build.command",
    "deploy": "deploy.command",
    "delete": "delete.command",
    "logs": "logs.command",
    "sync": "sync.command",
    "stack-outputs": "list.stack_outputs.command",
}


def main() -> None:
    """Run each command of the arguments: ``NAME`` or ``NAME --option …``, in the folder."""
    os.chdir(sys.argv[1])
    found = {}
    for line in sys.argv[2:]:
        name, *options = line.split()
        command = importlib.import_module(f"samcli.commands.{MODULES[name]}").cli
        result = CliRunner().invoke(command, options, input="y\n")
        found[line] = (result.exit_code, result.output)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
