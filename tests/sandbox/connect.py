"""An application of Visma Connect for these tests: it knows the documents and nothing of either side's code."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx2

from tests.fakes.sandbox import REDIRECT_URI, SandboxProcess, walk_pages
from tests.fakes.system_control import SystemControl
from tests.sandbox.client import CHALLENGE, VERIFIER

WEB, SERVICE, SECRET = "isv_broker", "isv_broker_service", "connect secret: 100% +/& ä"
ACME, BIRCH = "af1140c1-52e0-46c7-b684-df894d4b8a5a", "1c0ee1d4-0ba0-4f3d-a9a3-6f4e0b9a2f11"
USER, PASSWORD = "kari@acme.example", "connect-password"
SCOPE = "openid email tenants offline_access vismanet_erp_interactive_api:read"
SERVICE_SCOPE = "vismanet_erp_service_api:read"


@dataclass
class Connect:
    """One web application, one service application, one user of two tenants; the service has but one of them."""

    sandbox: SandboxProcess
    http: httpx2.Client
    client_id: str = WEB
    secret: str = SECRET

    @property
    def system(self) -> SystemControl:
        """The fixtures of Visma Connect."""
        return self.sandbox.system("visma-connect")

    def settle(self) -> "Connect":
        """Make applications, tenants and the user known."""
        self.system.put("tenants", ACME, {"name": "Acme Oy", "apps": [SERVICE]})
        self.system.put("tenants", BIRCH, {"name": "Birch AS"})
        self.system.put("users", USER, {"password": PASSWORD, "tenants": [ACME, BIRCH]})
        self.system.put("apps", WEB, {"secret": SECRET, "redirect_uris": [REDIRECT_URI]})
        self.system.put("apps", SERVICE, {"secret": SECRET, "type": "service"})
        return self

    def url(self, **changes: str | None) -> str:
        """A correct authorization request with changes; None leaves a parameter out."""
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "response_mode": "form_post",
            "scope": SCOPE,
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "prompt": "select_account",
            **changes,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return f"{self.sandbox.url}/visma-connect/connect/authorize?{urlencode(given)}"

    def authorize(self, tenant: str = ACME, *, allow: bool = True, **changes: str | None) -> dict[str, str]:
        """What the browser posts to the redirect URI in the end."""
        person: dict[str, Any] = {"username": USER, "password": PASSWORD, "company": tenant, "allow": allow}
        uri, fields = walk_pages(self.http, self.url(**changes), **person)
        assert uri == REDIRECT_URI
        return fields

    def post(self, path: str, form: dict[str, str], **more: Any) -> httpx2.Response:
        """A form post with Basic authentication."""
        basic = (quote_plus(self.client_id), quote_plus(self.secret))
        return self.http.post(f"{self.sandbox.url}/visma-connect/connect/{path}", data=form, auth=basic, **more)

    def redeem(self, code: str, **changes: str) -> httpx2.Response:
        """The token response to a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return self.post("token", {**form, "code_verifier": VERIFIER, **changes})

    def refresh(self, token: str, **changes: str) -> httpx2.Response:
        """The token response to a refresh token."""
        return self.post("token", {"grant_type": "refresh_token", "refresh_token": token, **changes})

    def tokens(self, tenant: str = ACME, **changes: str | None) -> dict[str, str]:
        """Tokens of a fresh consent."""
        reply = self.redeem(self.authorize(tenant, **changes)["code"])
        assert reply.status_code == 200, reply.text
        return reply.json()

    def service(self, **changes: str | None) -> httpx2.Response:
        """The token response to the service application, authenticated in the form."""
        given: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": SERVICE,
            "client_secret": SECRET,
            "scope": SERVICE_SCOPE,
            "tenant_id": ACME,
            **changes,
        }
        form = {name: value for name, value in given.items() if value is not None}
        return self.http.post(f"{self.sandbox.url}/visma-connect/connect/token", data=form)

    def api(self, token: str, path: str = "/visma-net-erp/v1/company", **more: Any) -> httpx2.Response:
        """An API request with this access token."""
        headers = {"Authorization": f"Bearer {token}".encode("latin-1")}
        return self.http.request(more.pop("method", "GET"), f"{self.sandbox.url}{path}", headers=headers, **more)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unproven."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
