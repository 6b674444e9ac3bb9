"""Requests made from our own OpenAPI document, sent to a real broker; docs/fuzzing.md tells more."""
