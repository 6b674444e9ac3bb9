"""What Celery's processes do besides their tasks: check its settings, poll by itself, stop polling first."""

import logging
from typing import Any

from celery.signals import beat_init, setup_logging, worker_init, worker_ready, worker_shutdown, worker_shutting_down
from django.core.exceptions import ImproperlyConfigured

from broker import poller
from broker.startup import refuse_unsafe_start

logger = logging.getLogger(__name__)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Having a receiver is what stops Celery from replacing the configured, redacting formatter."""


@beat_init.connect
@worker_init.connect
def check_settings(**_: Any) -> None:
    try:
        refuse_unsafe_start()
    except ImproperlyConfigured as error:
        # Celery logs a receiver's exception and goes on; only an exit stops it.
        raise SystemExit(str(error)) from None
    logger.info("settings and keys are good, starting")


@worker_ready.connect
def start_polling(**_: Any) -> None:
    poller.start()


@worker_shutting_down.connect
def stop_polling(**_: Any) -> None:
    poller.stop()


@worker_shutdown.connect
def finish_polling(**_: Any) -> None:
    poller.finish()
