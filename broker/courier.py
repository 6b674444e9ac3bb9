"""Publishes events and delivers them to webhook endpoints, in every worker: one thread each, and a pool that sends."""

import logging
import random
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from broker.services import delivering, publishing
from broker.services.delivering import Answer, Parcel
from broker.upkeep import Loop

logger = logging.getLogger(__name__)
_PUBLISH_SECONDS = _LOOK_SECONDS = 1.0


class Courier:
    """Sends in threads without a database connection; one thread claims and writes down what came of it."""

    def __init__(self, senders: int) -> None:
        self._senders = senders
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="webhook-sender")
        self._out: Counter[UUID] = Counter()
        self._back: deque[Answer] = deque()
        self._changed = threading.Event()
        self._stopping = False
        self._publisher = Loop("publisher", self._publish, _PUBLISH_SECONDS)
        # Waits in `_look`, where it can be woken.
        self._deliveries = Loop("deliveries", self._look, 0.0)

    def start(self) -> None:
        """Begin."""
        self._publisher.start()
        self._deliveries.start()

    def stop(self) -> None:
        """Claim and send nothing more; answers to what is out are still written down. Returns at once."""
        self._stopping = True
        self._publisher.stop()

    def finish(self) -> None:
        """Return when what is out has been answered, and the answers written down. At most one request's time."""
        self.stop()
        # What has been claimed is handed to the pool first.
        for loop in (self._publisher, self._deliveries):
            loop.finish(settings.WEBHOOK_TIMEOUT_SECONDS)
        self._pool.shutdown(wait=True)
        try:
            self._settle()
        except DatabaseError:
            logger.warning("deliveries were not written down, and are made again", extra={"count": len(self._back)})
        finally:
            connection.close()

    def _publish(self) -> None:
        if publishing.publish():
            self._changed.set()

    def _look(self) -> None:
        self._changed.wait(_LOOK_SECONDS)
        self._changed.clear()
        self._settle()
        free = self._senders - self._out.total()
        if free > 0 and not self._stopping:
            for parcel in delivering.claim(free, dict(self._out)):
                self._out[parcel.claimed.endpoint_id] += 1
                self._pool.submit(self._send, parcel)

    def _send(self, parcel: Parcel) -> None:
        try:
            self._back.append(delivering.send(parcel, timezone.now()))
        except Exception:
            logger.exception("a delivery could not be sent")
            self._back.append(delivering.unsent(parcel, timezone.now()))
        self._changed.set()

    def _settle(self) -> None:
        while self._back:
            answer = self._back[0]
            try:
                delivering.settle(answer, random.random())  # noqa: S311  jitter
            except DatabaseError:
                raise
            except Exception:
                logger.exception("a delivery could not be written down")
            self._back.popleft()
            self._out -= Counter([answer.parcel.claimed.endpoint_id])


_running: Courier | None = None
_guard = threading.Lock()


def start() -> None:
    """Publish and deliver until `finish`, in threads."""
    global _running
    with _guard:
        if _running is None:
            _running = Courier(settings.WEBHOOK_CONCURRENCY)
            _running.start()


def stop() -> None:
    """Begin nothing more. Returns at once, and may be called by a signal handler."""
    if _running is not None:
        _running.stop()


def finish() -> None:
    """Return when nothing is out any more."""
    global _running
    stop()
    with _guard:
        running, _running = _running, None
        if running is not None:
            running.finish()
