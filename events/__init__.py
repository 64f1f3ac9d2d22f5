"""Sample invocations of the functions; ``generate.py`` makes the files of what ``table`` says."""
