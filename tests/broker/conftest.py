"""Fixtures of the tests of surfaces."""

from tests.broker.managing import manage

__all__ = ["manage"]
