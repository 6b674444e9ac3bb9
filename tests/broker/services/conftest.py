"""Fixtures of the tests of services."""

from tests.broker.services.sealed_world import use_keyring, world

__all__ = ["use_keyring", "world"]
