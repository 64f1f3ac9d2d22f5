"""Benchmarks: each prints what it measured."""

import os

# Devices fail by the thousand here, and are to be believed.
os.environ.setdefault("MASS_FAILURE_SHARE", "1")
