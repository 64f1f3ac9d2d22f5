"""``scheduler-ops``: the operators' command line."""
