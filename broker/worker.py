"""What Celery's processes do besides their tasks: check what they rely on, renew, finish first what is out."""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from celery.signals import beat_init, setup_logging, worker_init, worker_ready, worker_shutting_down
from celery.worker import state
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from broker import courier, pump
from broker.celery import app
from broker.checks import queue_keeps_hints
from broker.startup import refuse_unsafe_beat, refuse_unsafe_renewals

logger = logging.getLogger(__name__)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Having a receiver is what stops Celery from replacing the configured, redacting formatter."""


@beat_init.connect
def check_beat(**_: Any) -> None:
    _refuse(lambda: refuse_unsafe_beat(app.conf))


@worker_init.connect
def check_worker(sender: Any, **_: Any) -> None:
    given = {
        "worker_prefetch_multiplier": sender.prefetch_multiplier,
        "task_time_limit": sender.time_limit,
        "task_soft_time_limit": sender.soft_time_limit,
    }
    pool = sender.pool_cls
    _refuse(lambda: refuse_unsafe_renewals({**app.conf, **given}, pool=getattr(pool, "__module__", pool)))


def _refuse(unsafe: Callable[[], None]) -> None:
    try:
        unsafe()
    except ImproperlyConfigured as error:
        # Celery logs a receiver's exception and goes on; only an exit stops it.
        raise SystemExit(str(error)) from None
    logger.info("settings and keys are good, starting")


@worker_ready.connect
def look_at_the_queue(**_: Any) -> None:
    """Only now is it certainly there."""
    try:
        with app.connection_for_read() as queue:
            policy = queue.default_channel.client.config_get("maxmemory-policy")["maxmemory-policy"]
    except Exception:
        # Whoever runs it may not let us ask; nothing depends on the answer.
        logger.info("the queue does not tell its maxmemory-policy")
        return
    for message in queue_keeps_hints(policy):
        logger.warning("%s", message)


class Renewals(bootsteps.StartStopStep):  # type: ignore[misc]  # the package has no types
    """Runs the pump and the courier for as long as the worker runs.

    After an embedded beat, which is a fork: it would inherit our locks, and hold them when we are dead. Before the
    consumer, which waits for the queue: without one, the pump finds what is due by itself.
    """

    requires = {"celery.worker.components:Beat", "celery.worker.components:Pool"}

    def start(self, worker: Any) -> None:
        pump.start(dead=_end_process)
        courier.start()

    def stop(self, worker: Any) -> None:
        courier.stop()
        pump.finish()
        courier.finish()

    terminate = stop


app.steps["worker"].add(Renewals)


@worker_shutting_down.connect
def stop_claiming(**_: Any) -> None:
    pump.stop()
    courier.stop()


def _end_process() -> None:
    """A worker that lives on without renewing would look well: end it, so that it is started anew."""
    logger.critical("renewals have ended; so does this worker")
    # A warm shutdown, with an exit status that tells a supervisor; and an end in any case.
    state.should_stop = os.EX_SOFTWARE
    late = threading.Timer(2 * settings.RENEWAL_LEASE_SECONDS, os._exit, [os.EX_SOFTWARE])
    late.daemon = True
    late.start()
