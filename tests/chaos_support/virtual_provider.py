"""An authorization server in memory with a clock of its own: every step of it is somebody's decision.

It stands where the door to the internet is, so everything above it is the product's own code.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from providers.messages import HttpRequest, HttpResponse


@dataclass
class Grant:
    """What one authorization led to. Shape: tokens in the order of their issue; spent maps a used one to when."""

    number: int
    tokens: list[str] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    ended_by: str = ""

    @property
    def alive(self) -> bool:
        return not self.ended_by

    @property
    def newest(self) -> str:
        return self.tokens[-1]


class VirtualProvider:
    """Rotates each refresh token; a used one works within the grace, and beyond it ends the grant."""

    def __init__(self, grace_seconds: float) -> None:
        self.grace_seconds = grace_seconds
        self.now = 0.0
        self.grants: list[Grant] = []
        self.requests = 0

    def authorize(self) -> Grant:
        """A new grant with its first refresh token."""
        grant = Grant(len(self.grants))
        self.grants.append(grant)
        self._issue(grant)
        return grant

    def of(self, token: str) -> Grant:
        """The grant that a refresh token belongs to."""
        return self.grants[int(token.split(".")[1])]

    def _issue(self, grant: Grant) -> str:
        token = f"refresh.{grant.number}.{len(grant.tokens)}"
        grant.tokens.append(token)
        return token

    # What `providers` takes for its door.

    def send(self, request: HttpRequest, *, provider_id: str = "") -> HttpResponse:
        """The answer to a token or revocation request."""
        fields = dict(request.fields)
        if request.endpoint == "revocation":
            return self._revoked(fields)
        self.requests += 1
        token = fields["refresh_token"]
        return self._renewed(self.of(token), token)

    def _revoked(self, fields: dict[str, str]) -> HttpResponse:
        token = fields["token"]
        if token.startswith("refresh."):
            grant = self.of(token)
            grant.ended_by = grant.ended_by or "revoked"
        return HttpResponse(status=200)

    def _renewed(self, grant: Grant, token: str) -> HttpResponse:
        used_at = grant.spent.get(token)
        late = used_at is not None and self.now - used_at > self.grace_seconds
        if used_at is not None and (late or not self.grace_seconds):
            grant.ended_by = grant.ended_by or "reuse"
        if not grant.alive:
            return _json(400, {"error": "invalid_grant"})
        grant.spent.setdefault(token, self.now)
        fresh = self._issue(grant)
        answer = {"access_token": f"access.{fresh}", "token_type": "Bearer", "expires_in": 3600, "refresh_token": fresh}
        return _json(200, answer)


def _json(status: int, members: dict[str, Any]) -> HttpResponse:
    return HttpResponse(
        status=status, headers={"content-type": "application/json"}, body=json.dumps(members).encode("ascii")
    )
