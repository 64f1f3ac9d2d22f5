"""Prints the environment variables that a function reads when its handler is imported.

Runs with the environment of the function only; a missing or malformed variable makes it fail.
"""

import gc
import importlib
import json
import sys

from scheduler.settings import Settings

handler = importlib.import_module(sys.argv[1])
read = {type(thing) for thing in gc.get_objects() if isinstance(thing, Settings)}
# Provisioning reads its settings when invoked, so that it can report errors in them.
read |= {
    thing
    for thing in vars(handler).values()
    if isinstance(thing, type) and issubclass(thing, Settings)
}
fields = {field for kind in read for field in kind.model_fields}
json.dump(sorted(field.upper() for field in fields), sys.stdout)
