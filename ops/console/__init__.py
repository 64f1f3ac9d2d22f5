"""The console: one page for the local platform and for a stack, over the operations interface."""
