"""An internal service, as the broker's API meets it."""

from collections.abc import Callable
from typing import Any, Self

import httpx2

from tests.fakes.broker import Broker, wait_until
from tests.fakes.sandbox import NO_CERTIFICATES
from tests.people import PROVIDER


class Service:
    """One API key and an HTTP client. What it learns that is secret, the broker's logs may not hold."""

    def __init__(self, broker: Broker, key: str, tenant: str = "aalto") -> None:
        self.tenant = tenant
        self.key = key
        self._broker = broker
        # As many connections as a test has threads: waiting for one would hide what the server does.
        self.http = httpx2.Client(
            base_url=f"{broker.url}/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            verify=NO_CERTIFICATES,
            limits=httpx2.Limits(max_connections=64),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def connect_session(self, *, provider: str = PROVIDER, **more: Any) -> dict[str, Any]:
        """Return id, url and expires_at of a new link."""
        body = {"tenant": self.tenant, "providers": [provider], **more}
        made = self._expect(201, self.http.post("/connect-sessions", json=body))
        self._broker.secrets.add(made["url"].rsplit("/", 1)[-1])
        return made

    def session(self, session_id: str) -> dict[str, Any]:
        """Return how far the customer has come."""
        return self._expect(200, self.http.get(f"/connect-sessions/{session_id}"))

    def token(self, connection: str, *, status: int = 200, **query: Any) -> dict[str, Any]:
        """Return the token's members, or the problem's when another status is expected."""
        found = self._expect(status, self.http.get(f"/connections/{connection}/token", params=query))
        self._broker.secrets.add(found.get("access_token", ""))
        return found

    def headers(self, connection: str, described: dict[str, Any], *, status: int = 200) -> dict[str, Any]:
        """Return the headers of one request, or the problem's members when another status is expected."""
        return self._expect(status, self.http.post(f"/connections/{connection}/headers", json=described))

    def connection(self, connection: str) -> dict[str, Any]:
        """Return what the broker tells of a connection; reading it renews nothing."""
        return self._expect(200, self.http.get(f"/connections/{connection}"))

    def connections(self) -> list[dict[str, Any]]:
        """Return the summaries of up to a hundred connections."""
        items: list[dict[str, Any]] = self._expect(200, self.http.get("/connections", params={"limit": 100}))["items"]
        return items

    def feedback(self, connection: str, version: int, challenge: str = "") -> dict[str, Any]:
        """Return the verdict on a 401."""
        body = {"status": 401, "version": version, "www_authenticate": challenge}
        return self._expect(200, self.http.post(f"/connections/{connection}/feedback", json=body))

    def disconnect(self, connection: str) -> dict[str, Any]:
        """End the connection."""
        return self._expect(200, self.http.delete(f"/connections/{connection}"))

    def wait(
        self, connection: str, true: Callable[[dict[str, Any]], object], expected: str, seconds: float
    ) -> dict[str, Any]:
        """Return the connection as soon as it is as wanted."""
        seen: list[dict[str, Any]] = []

        def look() -> object:
            seen.append(self.connection(connection))
            return true(seen[-1])

        try:
            wait_until(look, expected, seconds)
        except AssertionError as error:
            error.add_note(f"last seen: {seen[-1]}")
            raise
        return seen[-1]

    def _expect(self, status: int, answer: httpx2.Response) -> dict[str, Any]:
        # The body of another status is a problem, which holds no secret.
        assert answer.status_code == status, (
            f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text}"
        )
        found: dict[str, Any] = answer.json()
        return found


def call_provider(token: dict[str, Any], path: str = "/companysettings") -> httpx2.Response:
    """Return what the provider's own API answers to a token, called as the broker says."""
    return httpx2.get(
        f"{token['base_url']}{path}", headers=token["headers"], timeout=10, trust_env=False, verify=NO_CERTIFICATES
    )
