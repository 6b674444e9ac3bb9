"""A process of its own that holds one lease: `python -m tests.broker.services.lease_holder ID [fork]`.

Says its name, then the name after each line it is told; ends well when its input ends. With `fork` it has a child that
outlives it until the input ends.
"""

import os
import sys
from uuid import UUID

import django


def main(connection_id: str, *words: str) -> None:
    django.setup()
    from broker.services import presence  # noqa: PLC0415  models can be imported only after django.setup()
    from tenants.querysets import slots  # noqa: PLC0415

    claim = slots.claim_one(UUID(connection_id), owner=presence.owner(), lease_seconds=600)
    assert claim is not None
    assert slots.mark_sending_many([claim], lease_seconds=600)
    if "fork" in words and os.fork() == 0:
        _say(presence.owner())
        sys.stdin.read()
        os._exit(0)
    _say(presence.owner())
    for _ in sys.stdin:
        _say(presence.owner())
    presence.stop()


def _say(owner: str) -> None:
    sys.stdout.write(f"{owner}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
