from __future__ import annotations

import subprocess
import sys
import uuid

from providers.protocol.nonces import new_nonce

WORKERS, EACH = 4, 250_000
PROGRAM = "from providers.protocol.nonces import new_nonce as n; print('\\n'.join(n() for _ in range(%d)))" % EACH  # noqa: UP031


def test_it_is_a_random_guid():
    found = uuid.UUID(new_nonce())
    assert (found.version, found.variant) == (4, uuid.RFC_4122)


def test_a_million_of_processes_that_start_alike_are_all_different():
    workers = [subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) for _ in range(WORKERS)]
    found: set[bytes] = set()
    for worker in workers:
        output, _ = worker.communicate(timeout=120)
        found.update(output.split())
    assert len(found) == WORKERS * EACH
