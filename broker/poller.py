"""Workers look for due renewals by themselves, so that a dead beat or an empty queue only delays."""

import logging
import threading

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from broker.services import renew, revoke, sweep

logger = logging.getLogger(__name__)
_stopping = threading.Event()
_threads: list[threading.Thread] = []


def start() -> None:
    """Start the polling thread of this worker process."""
    _stopping.clear()
    # A daemon, so that a worker that dies some other way is not kept alive by it; `finish` waits for it.
    thread = threading.Thread(target=_run, name="renewal-poller", daemon=True)
    _threads.append(thread)
    thread.start()


def stop() -> None:
    """Claim nothing more."""
    _stopping.set()


def finish() -> None:
    """Wait for what is being renewed: an answer that nobody stores is a lost refresh token. At most one lease."""
    stop()
    while _threads:
        _threads.pop().join(settings.RENEWAL_LEASE_SECONDS)


def _run() -> None:
    while not _stopping.wait(settings.RENEWAL_POLL_SECONDS):
        try:
            poll_once()
        except DatabaseError:
            logger.warning("polling failed; the database is away")
        except Exception:
            logger.exception("polling failed")
        finally:
            connection.close()


def poll_once() -> int:
    """Renew, mint and revoke what is overdue, one after another. Returns how many renewals were tried.

    Only what beat's sweep has left: a batch as small as one thread can carry out within a lease.
    """
    tried = 0
    while not _stopping.is_set() and (claims := sweep.claim_due(limit=1)):
        renew.renew_claimed(claims[0].connection_id, claims[0].fence)
        tried += 1
    sweep.mint_due(limit=10)
    for orphan_id in revoke.due_revocations(limit=10):
        revoke.revoke_orphan(orphan_id)
    return tried
