"""Sample invocations of the functions; ``python -m events.generate`` writes the files."""
