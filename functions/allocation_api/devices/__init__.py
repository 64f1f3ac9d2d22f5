"""The pool of devices."""
