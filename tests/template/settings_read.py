"""Print the variables that a function's settings know: import its handler, as a cold start does.

Run with nothing but the function's environment; a missing or malformed variable ends it.
"""

import gc
import importlib
import json
import sys

from scheduler.settings import Settings

handler = importlib.import_module(sys.argv[1])
read = {type(thing) for thing in gc.get_objects() if isinstance(thing, Settings)}
# Provisioning reads its settings when it is invoked, to answer why they are wrong.
read |= {
    thing
    for thing in vars(handler).values()
    if isinstance(thing, type) and issubclass(thing, Settings)
}
fields = {field for kind in read for field in kind.model_fields}
json.dump(sorted(field.upper() for field in fields), sys.stdout)
