"""Starts npm's oidc-provider, walks its pages, and is a thief there when a test needs one."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urljoin, urlsplit

import httpx2

from embedded.demo.forms import read
from embedded.processes import Child
from tests.fakes.broker import Broker, wait_until
from tests.tools import node

PROVIDER = "oidc-provider"
REDIRECT_KEY = "peer"
FOLDER = Path(__file__).resolve().parent
START_SECONDS = 30.0
MOST_PAGES = 12


class Peer:
    """One running peer with one client, which belongs to one broker."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self.url = url
        self.client_id = client_id
        self.client_secret = client_secret
        # Source: RFC 6749 section 2.3.1: form-encoded first.
        basic = (quote_plus(client_id), quote_plus(client_secret))
        self._http = httpx2.Client(base_url=url, auth=basic, timeout=10, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def log(self) -> list[dict[str, Any]]:
        """What the token endpoint saw: grant_type, refresh_token, status, error."""
        entries: list[dict[str, Any]] = self._http.get("/_peer/log").json()
        return entries

    def refresh(self, refresh_token: str) -> httpx2.Response:
        """Use a refresh token behind the broker's back, with the client's own credentials."""
        return self._http.post("/token", data={"grant_type": "refresh_token", "refresh_token": refresh_token})

    def is_active(self, token: str) -> bool:
        """Whether the peer still knows a token. Source: RFC 7662."""
        return bool(self._http.post("/token/introspection", data={"token": token}).json()["active"])

    def define(self, broker: Broker) -> None:
        """Tell the broker of the peer: by a catalogue file, a command and nothing else."""
        template = (FOLDER / f"{PROVIDER}.toml").read_text()
        (broker.catalogue / f"{PROVIDER}.toml").write_text(template.replace("{issuer}", self.url))
        words = ["--environment", "local", "--client-id", self.client_id, "--client-secret-file", "-"]
        registered = broker.manage.json(
            "register_client", PROVIDER, *words, "--redirect-key", REDIRECT_KEY, stdin=self.client_secret
        )
        assert registered["redirect_uri"] == _redirect_uri(broker)


@contextmanager
def running(broker: Broker, *, access_token_seconds: int) -> Iterator[Peer]:
    """Gives a peer that runs as one more process beside the broker, and is stopped with it."""
    # Characters that Basic has to form-encode.
    client = {"client_id": "the broker", "client_secret": f"{secrets.token_urlsafe(24)} +&%:"}
    broker.secrets.add(client["client_secret"])
    options = {**client, "redirect_uri": _redirect_uri(broker), "access_token_seconds": access_token_seconds}
    child = broker.start("peer", [node.executable(), str(FOLDER / "server.mjs"), json.dumps(options)])
    wait_until(lambda: _url(child), "the peer to listen", START_SECONDS, children=[child])
    peer = Peer(_url(child), client["client_id"], client["client_secret"])
    try:
        yield peer
    finally:
        peer.close()


def sign_in_and_consent(browser: httpx2.Client, url: str) -> str:
    """Return the address at the redirect URI that the peer's pages end with; it is not followed."""
    page = browser.get(url)
    for _ in range(MOST_PAGES):
        if not page.is_redirect:
            page = _answer(browser, page)
            continue
        target = urljoin(str(page.url), page.headers["Location"])
        if urlsplit(target).netloc != urlsplit(url).netloc:
            return target
        page = browser.get(target)
    raise AssertionError("the peer's pages came to no end")


def _answer(browser: httpx2.Client, page: httpx2.Response) -> httpx2.Response:
    assert page.status_code == 200, f"{page.status_code}: {page.text[-600:]}"
    form = read(page.text)[0][0]
    typed = {"login": "alice", "password": "any"} if "login" in form.fields else {}
    return browser.post(urljoin(str(page.url), form.action), data={**form.fields, **typed})


def _redirect_uri(broker: Broker) -> str:
    return f"{broker.url}/cb/{REDIRECT_KEY}"


def _url(child: Child) -> str:
    lines = (line for line in child.output().splitlines() if line.startswith("{"))
    return str(json.loads(next(lines, "{}")).get("url", ""))
