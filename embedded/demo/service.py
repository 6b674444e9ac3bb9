"""The internal service: a program that wants tokens and knows only the broker's API."""

import time
from collections.abc import Callable
from typing import Any

import httpx2

from embedded.demo.expectations import Unexpected, answered, expect
from embedded.local_provider import PROVIDER

POLL_SECONDS = 0.1
# What says more of a refusal than its status.
REPORTED = ("content-type", "retry-after", "www-authenticate")


class Service:
    """Calls the broker with one API key, for one tenant."""

    def __init__(self, public_url: str, api_key: str, tenant: str, provider: str = PROVIDER) -> None:
        self.tenant = tenant
        self.provider = provider
        headers = {"Authorization": f"Bearer {api_key}"}
        self._broker = httpx2.Client(base_url=f"{public_url}/v1", headers=headers, timeout=30, trust_env=False)

    def connect_session(self) -> dict[str, Any]:
        """Return a one-time link for the customer."""
        body = {"tenant": self.tenant, "providers": [self.provider]}
        return answered(self._broker.post("/connect-sessions", json=body), 201, "a connect session")

    def completed_connection(self, session: str) -> str:
        """Return the id of the connection that a connect session led to."""
        found = answered(self._broker.get(f"/connect-sessions/{session}"), 200, "the connect session")
        if found["state"] != "completed" or not found["connection"]:
            raise Unexpected("a completed connect session", f"{found['state']} ({found.get('outcome')})")
        return str(found["connection"])

    @property
    def _named(self) -> str:
        return f"/tenants/{self.tenant}/providers/{self.provider}"

    def token(self, **query: str) -> dict[str, Any]:
        """Return the token as a caller gets it that knows no connection id."""
        return answered(self._broker.get(f"{self._named}/token", params={"min_ttl": "1", **query}), 200, "the token")

    def headers(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the headers for one request to the provider's API."""
        return answered(self._broker.post(f"{self._named}/headers", json=request), 200, "the headers")

    def own_connection(self) -> dict[str, Any]:
        """Return what the broker tells of the tenant's one connection to the provider."""
        query = {"tenant": self.tenant, "provider": self.provider}
        found = answered(self._broker.get("/connections", params=query), 200, "the connections")["items"]
        expect(len(found) == 1, "one connection", f"{len(found)}")
        (one,) = found
        return dict(one)

    def connection(self, connection: str) -> dict[str, Any]:
        """Return what the broker tells of a connection; reading it renews nothing."""
        return answered(self._broker.get(f"/connections/{connection}"), 200, "the connection")

    def report_refused(self, connection: str, version: int, challenge: str) -> dict[str, Any]:
        """Tell the broker that the provider answered 401, and return its verdict."""
        body = {"status": 401, "version": version, "www_authenticate": challenge}
        path = f"/connections/{connection}/feedback"
        return answered(self._broker.post(path, json=body), 200, "the feedback")

    def report_answer(self, connection: str, version: int, answer: httpx2.Response) -> dict[str, Any]:
        """Tell the broker what the provider answered, word for word, and return its verdict."""
        told = {name: value for name, value in answer.headers.items() if name.lower() in REPORTED}
        body = {"status": answer.status_code, "version": version, "body": answer.text[:8000], "headers": told}
        path = f"/connections/{connection}/feedback"
        return answered(self._broker.post(path, json=body), 200, "the feedback")

    def repair_link(self) -> str:
        """Return the link that the broker gives instead of a token when only the customer can help."""
        return str(
            answered(self._broker.get(f"{self._named}/token"), 409, "the token of a dead connection")["connect_url"]
        )

    def disconnect(self, connection: str) -> dict[str, Any]:
        """End the connection and return what became of the grant."""
        return answered(self._broker.delete(f"/connections/{connection}"), 200, "the disconnect")

    def wait(
        self, connection: str, until: Callable[[dict[str, Any]], bool], expected: str, seconds: float
    ) -> dict[str, Any]:
        """Return the connection as soon as it is as wanted.

        Raises: Unexpected when the time is over.
        """
        deadline = time.monotonic() + seconds
        while not until(found := self.connection(connection)):
            if time.monotonic() > deadline:
                seen = f"state {found['state']}, version {found['version']}, reason {found['reason']}"
                raise Unexpected(f"{expected} within {seconds:.0f} s", seen)
            time.sleep(POLL_SECONDS)
        return found


def call_provider(token: dict[str, Any]) -> httpx2.Response:
    """Return the answer of the provider's own API to this token."""
    return httpx2.get(f"{token['base_url']}/companysettings", headers=token["headers"], timeout=10, trust_env=False)
