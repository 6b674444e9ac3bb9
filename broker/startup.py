"""Web and worker processes run Django's checks too: `manage.py` alone would leave production unchecked."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured

from broker.checks import (
    celery_is_safe,
    database_is_durable,
    escrow_is_writable,
    keys_fit_the_database,
    pool_is_threads,
)
from broker.services import escrow

logger = logging.getLogger(__name__)


def refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured, listing every failed check, so that a broken process never serves."""
    _refuse(_settings() or keys_fit_the_database())


def refuse_unsafe_beat(celery: Mapping[str, Any]) -> None:
    """As refuse_unsafe_start, for a process that only pokes."""
    _refuse([*_settings(), *celery_is_safe(celery)] or keys_fit_the_database())


def refuse_unsafe_renewals(celery: Mapping[str, Any], *, pool: str) -> None:
    """As refuse_unsafe_start, and what a process that renews for everybody needs besides."""
    found = [*_settings(), *celery_is_safe(celery), *pool_is_threads(pool), *escrow_is_writable()]
    _refuse(found or [*keys_fit_the_database(), *database_is_durable()])


def start_web() -> None:
    """As refuse_unsafe_start, for a process that renews while somebody waits: its escrow is replayed beside.

    Effects: a thread.
    """
    refuse_unsafe_start()
    for message in escrow_is_writable():
        logger.error("a token could be lost while the database is away: %s", message)
    escrow.Replayer().start()


def _settings() -> list[CheckMessage]:
    found = run_checks(include_deployment_checks=False)
    return [message for message in found if message.is_serious() and not message.is_silenced()]


def _refuse(serious: Sequence[CheckMessage]) -> None:
    # Only with usable settings was there something to ask the database about.
    if serious:
        raise ImproperlyConfigured("refusing to start:\n" + "\n".join(map(str, serious)))
