"""This process's name on its leases, and the leases of processes that are gone.

Every process that renews holds a lock in PostgreSQL (`presence_lock`), which the server drops the moment the process
dies, on whatever machine. So whoever is left frees the leases of the dead within seconds. A false verdict costs a fence
and nothing else: the late answer is kept as an orphan, and whoever renews next knows that the outcome is in doubt.
"""

import logging
import os
import threading
import time

from django.conf import settings

from broker.services.presence_lock import Lock, Owner
from tenants.querysets import presence

logger = logging.getLogger(__name__)


class _Process:
    """What this process knows of itself and of others; a forked child begins anew."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.lock: Lock | None = None
        self.missing: dict[str, float] = {}


_process = _Process()


def start() -> Lock:
    """Be present, unless this process is already. Effects: a thread with a database connection of its own."""
    with _process.guard:
        if _process.lock is None:
            _process.lock = Lock()
        return _process.lock


def stop() -> None:
    """Be gone: what is still leased is freed by whoever looks next."""
    with _process.guard:
        lock, _process.lock = _process.lock, None
        _process.missing = {}
    if lock is not None:
        lock.stop()


def owner() -> str:
    """Return the name for the leases that this process takes now. Effects: as start, at first use."""
    return str(start().owner())


def reap() -> int:
    """Free the leases of processes that are gone, and those that have ended. Returns how many.

    Effects: a process is gone when its lock was absent at two looks RENEWAL_REAP_SECONDS apart; one of this machine,
             whose process id is gone as well, at once.
    """
    lock = start()
    seen = presence.look()
    absent = _absent(seen, lock.me)
    judges = seen.settled and lock.may_judge()
    dead = {str(one): one.key for one in absent if _gone_here(one, lock.me) or (judges and _long_absent(one))}
    _process.missing = {str(one): _process.missing.get(str(one), time.monotonic()) for one in absent}
    if not dead and not seen.expired:
        return 0
    freed = presence.free_leases(dead)
    if freed:
        logger.info("leases freed", extra={"count": freed, "owners": sorted(dead)})
    return freed


def _absent(seen: presence.Look, me: Owner) -> list[Owner]:
    """Return the owners without a lock. Never ourselves: a connection that breaks makes nobody dead in his own eyes."""
    known = [parsed for name in seen.owners if (parsed := Owner.parse(name))]
    return [one for one in known if one.key not in {0, me.key} | seen.keys]


def _long_absent(one: Owner) -> bool:
    since = _process.missing.get(str(one))
    return since is not None and time.monotonic() - since >= settings.RENEWAL_REAP_SECONDS


def _gone_here(one: Owner, me: Owner) -> bool:
    """Tell whether this was a process of our machine, or container, whose id is free, or ours by now."""
    if (one.host, one.namespace) != (me.host, me.namespace):
        return False
    try:
        os.kill(one.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return one.pid == me.pid


def _begin_anew() -> None:
    global _process
    lock, _process = _process.lock, _Process()
    if lock is not None:
        lock.close_copy()


os.register_at_fork(after_in_child=_begin_anew)
