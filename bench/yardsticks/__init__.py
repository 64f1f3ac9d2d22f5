"""Other programs that do the same work, to compare the functions with."""
