"""A small OAuth client for these tests: it knows the RFCs and nothing of either side's code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import httpx2

from tests.fakes.sandbox import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT_URI,
    SandboxProcess,
    plain_client,
    sign_in_and_consent,
)

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SCOPE = "ea:api ea:sales_readonly offline_access"


@dataclass
class Client:
    """One client registration, one browser."""

    sandbox: SandboxProcess
    http: httpx2.Client
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET

    def request(self, **changes: str | None) -> list[tuple[str, str]]:
        """A correct authorization request with changes; None leaves a parameter out."""
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": SCOPE,
            "state": "s-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return [(name, value) for name, value in parameters.items() if value is not None]

    def url(self, *more: tuple[str, str], **changes: str | None) -> str:
        """The same as a URL."""
        return f"{self.sandbox.url}/connect/authorize?" + urlencode([*self.request(**changes), *more])

    def authorize(self, **changes: str | None) -> dict[str, str]:
        """The authorization response that the person's walk ends with."""
        return answer(sign_in_and_consent(self.http, self.url(**changes)))

    def refused(self, *more: tuple[str, str], **changes: str | None) -> dict[str, str]:
        """The error response that comes at once, without a page."""
        reply = self.http.get(self.url(*more, **changes))
        assert reply.is_redirect, reply.text
        assert reply.headers["Location"].startswith(REDIRECT_URI + "?")
        return answer(reply.headers["Location"])

    def post(self, path: str, form: dict[str, str], **more: object) -> httpx2.Response:
        """A form post with Basic authentication."""
        basic = (quote_plus(self.client_id), quote_plus(self.client_secret))
        return self.http.post(f"{self.sandbox.url}{path}", data=form, auth=basic, **more)

    def redeem(self, code: str, **changes: str) -> httpx2.Response:
        """The token response to a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return self.post("/connect/token", {**form, "code_verifier": VERIFIER, **changes})

    def refresh(self, token: str, **changes: str) -> httpx2.Response:
        """The token response to a refresh token."""
        return self.post("/connect/token", {"grant_type": "refresh_token", "refresh_token": token, **changes})

    def revoke(self, token: str, **changes: str) -> httpx2.Response:
        """The answer of the revocation endpoint."""
        return self.post("/connect/revocation", {"token": token, **changes})

    def tokens(self, **changes: str | None) -> dict[str, str]:
        """Tokens of a fresh consent."""
        reply = self.redeem(self.authorize(**changes)["code"])
        assert reply.status_code == 200, reply.text
        return reply.json()

    def api(self, token: str, path: str = "/v2/companysettings") -> httpx2.Response:
        """An API request with this access token."""
        return self.http.get(f"{self.sandbox.url}{path}", headers={"Authorization": f"Bearer {token}"})


def answer(url: str) -> dict[str, str]:
    """The parameters of a redirect."""
    return dict(parse_qsl(urlsplit(url).query))


@contextmanager
def browser() -> Iterator[httpx2.Client]:
    """A fresh cookie jar."""
    with plain_client() as http:
        yield http


def error_of(reply: httpx2.Response) -> tuple[int, str]:
    """Status and error code of a refusal."""
    return reply.status_code, reply.json()["error"]
