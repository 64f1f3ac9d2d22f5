"""Benchmarks; each prints its figures."""

import os

# Benchmarks fail thousands of devices, which would engage the mass-failure brake.
os.environ.setdefault("MASS_FAILURE_SHARE", "1")
