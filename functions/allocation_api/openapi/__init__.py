"""The OpenAPI document: written by `make openapi`, served at ``/openapi.json``."""
