"""The description of the API: built by `make openapi`, served as the file it is."""
