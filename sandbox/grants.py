"""What users allowed: one grant per consent, alive until something ends it."""

import time
import uuid
from dataclasses import dataclass

from sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Consent:
    """Who allowed which client what, for which company."""

    client_id: str
    user_id: str
    company_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class Grant:
    """One row of the grants table."""

    id: str
    client_id: str
    user_id: str
    company_id: str
    scope: str
    created_at: float
    revoked_at: float | None
    revoked_why: str
    rotations: int
    newest_refresh: str


class Grants:
    """Every grant, dead ones included, so that a test can ask why one died."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, consent: Consent) -> Grant:
        """A living grant for this consent."""
        grant_id = str(uuid.uuid4())
        self._store.run(
            "INSERT INTO grants (id, client_id, user_id, company_id, scope, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            grant_id,
            consent.client_id,
            consent.user_id,
            consent.company_id,
            consent.scope,
            time.time(),
        )
        grant = self.get(grant_id)
        assert grant is not None
        return grant

    def get(self, grant_id: str) -> Grant | None:
        """The grant of that id, or None."""
        row = self._store.one("SELECT * FROM grants WHERE id = ?", grant_id)
        return Grant(*row) if row else None

    def all(self) -> list[Grant]:
        """Every grant, oldest first."""
        return [Grant(*row) for row in self._store.all("SELECT * FROM grants ORDER BY created_at, id")]

    def revoke(self, grant_id: str, why: str) -> bool:
        """Whether the grant was alive until now; its refresh and access tokens die with it."""
        kill = "UPDATE grants SET revoked_at = ?, revoked_why = ? WHERE id = ? AND revoked_at IS NULL"
        return bool(self._store.run(kill, time.time(), why, grant_id))

    def revoke_between(self, client_id: str, user_id: str, why: str) -> int:
        """How many living grants of the user to the client this ended."""
        kill = "UPDATE grants SET revoked_at = ?, revoked_why = ? WHERE client_id = ? AND user_id = ?"
        return self._store.run(f"{kill} AND revoked_at IS NULL", time.time(), why, client_id, user_id)

    def revoke_of_user(self, user_id: str, why: str) -> int:
        """How many living grants of the user this ended."""
        kill = "UPDATE grants SET revoked_at = ?, revoked_why = ? WHERE user_id = ? AND revoked_at IS NULL"
        return self._store.run(kill, time.time(), why, user_id)
