"""Print the variables that a function's settings know: import its handler, as a cold start does.

Run with nothing but the function's environment; a missing or malformed variable ends it.
"""

import gc
import importlib
import json
import sys

from scheduler.settings import Settings

importlib.import_module(sys.argv[1])
read = {
    field
    for thing in gc.get_objects()
    if isinstance(thing, Settings)
    for field in type(thing).model_fields
}
json.dump(sorted(field.upper() for field in read), sys.stdout)
