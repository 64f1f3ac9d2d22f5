"""Finds what must never be, says so, and puts it right.

A finding is looked at again under the locks of its rows before anything is changed, so that a
transaction that is still running is never "repaired". The allocations are the truth: the status
of a device follows from them.
"""
