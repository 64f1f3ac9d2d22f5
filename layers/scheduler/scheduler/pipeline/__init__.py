"""The path of a batch: decode, validate, load, decide, commit, settle."""
