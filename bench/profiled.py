"""`python -m bench.profiled FILE celery-arguments...`: a worker that writes down, each second, what its CPU went to.

The file holds cumulative seconds: `http`, `sql` and `seal` by measuring around the functions, and the CPU of each kind
of thread. Measuring costs some time itself, so rates are not taken from such a worker.
"""

import functools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = {"renewal-sender": "senders", "renewal-committer": "committer", "renewal-driver": "driver", "bench": "bench"}
_all: list[Counter[str]] = []
_own = threading.local()


def main() -> None:
    """Patch, then be the worker."""
    file = Path(sys.argv[1])
    sys.argv = ["celery", *sys.argv[2:]]
    from celery.__main__ import main as celery  # noqa: PLC0415

    threading.Thread(target=_write, args=(file,), daemon=True, name="bench").start()
    celery()


def _patch() -> None:
    import psycopg  # noqa: PLC0415
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415
    from django.db.backends.utils import CursorWrapper  # noqa: PLC0415

    from providers.outbound import Outbound  # noqa: PLC0415
    from tenants.vault import Vault  # noqa: PLC0415

    for owner, names, cost in (
        (Outbound, ("send",), "http"),
        (Vault, ("seal", "open", "fingerprint"), "seal"),
        (CursorWrapper, ("execute", "executemany"), "sql"),
        (psycopg.Cursor, ("fetchone", "fetchmany", "fetchall"), "sql"),
        (BaseDatabaseWrapper, ("connect", "close", "commit"), "sql"),
    ):
        for name in names:
            if (known := getattr(owner, name, None)) is not None:
                setattr(owner, name, _timed(known, cost))


def _timed(known: Callable[..., Any], cost: str) -> Callable[..., Any]:
    @functools.wraps(known)
    def timed(*args: Any, **kwargs: Any) -> Any:
        counts = _counts()
        if counts["inside"]:
            return known(*args, **kwargs)
        counts["inside"] = 1
        start = time.thread_time()
        try:
            return known(*args, **kwargs)
        finally:
            counts[cost] += time.thread_time() - start  # type: ignore[assignment]
            counts["inside"] = 0

    return timed


def _counts() -> Counter[str]:
    if not hasattr(_own, "counts"):
        _own.counts = Counter()
        _all.append(_own.counts)
    return _own.counts  # type: ignore[no-any-return]


def _write(file: Path) -> None:
    while "broker.worker" not in sys.modules:
        time.sleep(0.05)
    _patch()
    while True:
        time.sleep(1)
        total = sum(_all, Counter())
        found = {cost: total[cost] for cost in ("http", "sql", "seal")} | _threads()
        part = file.with_suffix(".part")
        part.write_text(json.dumps({**found, "all": time.process_time()}))
        part.replace(file)


def _threads() -> dict[str, float]:
    found: Counter[str] = Counter()
    for thread in threading.enumerate():
        stat = Path(f"/proc/self/task/{thread.native_id}/stat")
        kind = next((kind for start, kind in KINDS.items() if thread.name.startswith(start)), "celery and others")
        fields = stat.read_text().rsplit(")", 1)[1].split()
        found[kind] += (int(fields[11]) + int(fields[12])) / 100  # type: ignore[assignment]
    return dict(found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
