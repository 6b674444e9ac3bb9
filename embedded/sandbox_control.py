"""The sandbox's control API: what can be set up, broken and read there."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from embedded.errors import EmbeddedError

# The user that the sandbox knows from its first start, and the password all of its first users have.
USERNAME = "anna@acme.example"
PASSWORD = "sandbox-password"


@dataclass(frozen=True)
class SandboxControl:
    """The control API of one running sandbox."""

    base_url: str

    def keep_client(self, client_id: str, secret: str, redirect_uri: str, **settings: int) -> None:
        """Have a client with exactly this secret and redirect URI, whether or not it was there."""
        members = {"client_secret": secret, "redirect_uris": [redirect_uri], **settings}
        known = [client["client_id"] for client in self.call("GET", "clients")["clients"]]
        if client_id in known:
            self.call("PATCH", f"clients/{quote(client_id)}", members)
        else:
            self.call("POST", "clients", {"client_id": client_id, **members})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one control request.

        Raises: EmbeddedError when the sandbox refuses.
        """
        # A proxy named in the environment does not lead to this machine, here and wherever we call it.
        answer = httpx2.request(method, f"{self.base_url}/_sandbox/{path}", json=body, timeout=10, trust_env=False)
        if answer.is_error:
            raise EmbeddedError(f"The sandbox answered {answer.status_code} to {method} {path}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found
