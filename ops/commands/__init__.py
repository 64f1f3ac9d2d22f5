"""The commands of ``scheduler-ops``, one module each."""
