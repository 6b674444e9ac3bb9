"""Fixtures of the tests of services."""

from tests.broker.services.sealed_world import use_keyring, world
from tests.broker.services.telling import hook, receiver

__all__ = ["hook", "receiver", "use_keyring", "world"]
