"""What the functions are compared with: the same work done in other ways."""
