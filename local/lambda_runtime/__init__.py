"""Runs the deployed functions in processes, as Lambda does in execution environments."""
