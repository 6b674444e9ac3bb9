"""What the tests of the escrow share: a database that does not take a pair, and a worker's renewal."""

from pathlib import Path

import pytest
from django.db import OperationalError

from broker.services import escrow, renewal_steps
from broker.services.renewal_attempt import Outcome
from tenants.models import Connection
from tenants.querysets import pairs, slots


class Away:
    """The database's refusals to commit, for as long as they last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused = 0
        self.lasts = True
        self._commit = pairs.commit
        monkeypatch.setattr(pairs, "commit", self._try)

    def _try(self, *args):
        if self.lasts:
            self.refused += 1
            raise OperationalError("the server is away")
        return self._commit(*args)

    def end(self) -> None:
        self.lasts = False


@pytest.fixture
def away(monkeypatch):
    return Away(monkeypatch)


def renew(connection: Connection, *, patient: bool = False) -> Outcome:
    """One renewal as a worker makes it."""
    claim = slots.claim_one(connection.id, owner="worker", lease_seconds=30)
    assert claim is not None
    attempts, ended = renewal_steps.prepare([claim])
    assert ended == []
    [marked] = renewal_steps.mark(attempts)
    return renewal_steps.conclude([renewal_steps.send(marked)], patient=patient)[0]


def files() -> list[Path]:
    return sorted(escrow.folder().iterdir())
