"""Tokens as JSON, for whoever asks for hundreds at once: each for a moment, and as long as its rows stay as they are.

A single token is opened each time: what keeping it would save is lost in what a request costs.
"""

import time
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from broker.services import credentials, fingerprints, issue
from tenants.expiring import Expiring
from tenants.querysets.hand_out import HandOut
from tenants.vault import Vault

# No longer than the vault keeps the keys that open them.
_SECONDS, _MOST = 30.0, 10_000


class KeptAnswer(NamedTuple):
    """A usable row's token, and what has to be looked at before it is handed out again. Never log it."""

    token: bytes
    fingerprint: bytes
    connection_id: UUID
    tenant_id: UUID
    provider_id: str
    version: int
    life_seconds: float
    stamp: str | None
    vault: Vault

    def __repr__(self) -> str:
        return f"KeptAnswer({self.connection_id}, version {self.version})"


class KeptAnswers:
    """Answers by connection id. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: Expiring[str, KeptAnswer] = Expiring(seconds=lambda: _SECONDS, most=_MOST, clock=clock)

    def holds(self, connection_id: str) -> bool:
        """Tell whether there may be an answer for this connection: then it is worth asking how it stands."""
        return connection_id in self._kept

    def find(self, connection_id: str, stamp: str | None) -> KeptAnswer | None:
        """Return the answer that was made of rows with this stamp; None when there is none, or it is too old."""
        found = self._kept.get(connection_id)
        if found is None or stamp is None or found.stamp != stamp:
            return None
        return found if found.vault is credentials.vault() else None

    def make(self, row: HandOut) -> KeptAnswer:
        """Return a usable row's answer, and keep it where the row has a stamp and no reason. Raises StorageFault."""
        # A note of trouble may be of this moment, and stand in no row yet.
        keepable = row.stamp is not None and not row.reason
        found = self.find(str(row.connection_id), row.stamp) if keepable else None
        if found is not None:
            return found
        made = self._made(row)
        if keepable:
            self._kept.keep(str(made.connection_id), made)
        return made

    def _made(self, row: HandOut) -> KeptAnswer:
        issued = issue.assemble_row(row)
        assert row.connection_id is not None
        return KeptAnswer(
            token=issue.encode(issued.as_json()),
            fingerprint=fingerprints.of_credential(row.data_key, issued.credential),
            connection_id=row.connection_id,
            tenant_id=row.tenant_id,
            provider_id=row.provider_id,
            version=row.version,
            life_seconds=row.life_seconds,
            stamp=row.stamp,
            vault=credentials.vault(),
        )


kept_answers = KeptAnswers()
