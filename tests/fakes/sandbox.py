"""Drives a real sandbox process: start, stop, script, read its log, and walk its pages as a person would.

from tests.fakes.sandbox import sandbox, sandbox_process   # fixtures, in a conftest

def test_x(sandbox): sandbox.set_latency(token=0.2) ...
"""

import json
import os
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urljoin

import httpx2
import pytest

from embedded import local_provider
from tests.fakes.system_control import SystemControl

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox secret: 100% +/& ä"  # every character that Basic has to form-encode
REDIRECT_URI = "http://127.0.0.1:8000/cb/visma-eaccounting"
USER = "anna@acme.example"
USER_OF_TWO = "ben@books.example"
PASSWORD = "sandbox-password"
PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
# Everything here is plain HTTP; loading the usual certificates would cost every client 60 ms.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain_client(**options: Any) -> httpx2.Client:
    """A cookie-keeping client for loopback."""
    return httpx2.Client(**{"trust_env": False, "timeout": 10, "verify": NO_CERTIFICATES, **options})


class SandboxProcess:
    """One `python -m sandbox` on a free port, and its control API."""

    def __init__(self, *options: str, client_secret: str | None = CLIENT_SECRET) -> None:
        secret = ("--client-secret", client_secret) if client_secret else ()
        self._command = [sys.executable, "-m", "sandbox", "--port", "0", *secret, *options]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> Self:
        """Start and wait for the ready line."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(self._command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if readable else ""
        if not line:
            self.kill()
            raise RuntimeError(f"the sandbox did not start: exit status {self._process.returncode}")
        self.url = json.loads(line)["url"]
        self._control = plain_client(base_url=f"{self.url}/_sandbox/")
        return self

    def stop(self) -> int:
        """Stop it cleanly; its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._ended()

    def kill(self) -> int:
        """Kill it as a crash would."""
        assert self._process is not None
        self._process.kill()
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        status = self._process.wait(timeout=5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self.url:
            self._control.close()
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Control API

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One control request; its JSON, or an exception with the sandbox's reason."""
        answer = self._control.request(method, path, json=body, params=query)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def reset(self) -> None:
        """Back to the seed: users, clients, grants, faults, latency, log."""
        self.control("POST", "reset")

    def create_client(self, **fields: Any) -> dict[str, Any]:
        """A new client; `client_id` and `client_secret` are generated unless given."""
        return self.control("POST", "clients", fields)

    def update_client(self, client_id: str = CLIENT_ID, **fields: Any) -> dict[str, Any]:
        """Change redirect_uris, access_token_seconds, grace_seconds, rotation, response_iss, ..."""
        return self.control("PATCH", f"clients/{quote(client_id, safe='')}", fields)

    def allow_redirect_uri(self, uri: str, client_id: str = CLIENT_ID) -> None:
        """Register one more redirect URI."""
        clients = {one["client_id"]: one for one in self.control("GET", "clients")["clients"]}
        known = clients[client_id]["redirect_uris"]
        self.update_client(client_id, redirect_uris=[*known, uri])

    def create_user(self, username: str, password: str = PASSWORD, *companies: str) -> dict[str, Any]:
        """A new user with companies of these names."""
        numbered = [
            {"name": name, "corporate_identity_number": f"{4000000 + number}-1"}
            for number, name in enumerate(companies or ("Delta Oy",))
        ]
        return self.control("POST", "users", {"username": username, "password": password, "companies": numbered})

    def change_password(self, username: str = USER, password: str = "another-password") -> int:
        """How many grants died of it."""
        changed = self.control("PUT", f"users/{quote(username, safe='')}/password", {"password": password})
        return changed["grants_revoked"]

    def grants(self, **filters: Any) -> list[dict[str, Any]]:
        """Grants, oldest first; filters: user, client_id, alive ("true" or "false")."""
        return self.control("GET", "grants", **filters)["grants"]

    def withdraw(self, grant_id: str) -> bool:
        """The person takes this consent back."""
        return self.control("POST", f"grants/{grant_id}/withdraw")["withdrawn"]

    def fault(self, endpoint: str, kind: str, **fields: Any) -> None:
        """Queue a fault; fields: times, client_id, probability, after, seconds, status, retry_after, ..."""
        self.control("POST", "faults", {"endpoint": endpoint, "kind": kind, **fields})

    def clear_faults(self) -> None:
        """No more faults."""
        self.control("DELETE", "faults")

    def set_latency(self, **seconds: float) -> None:
        """Seconds added to endpoints; those not named have none."""
        self.control("PUT", "latency", seconds)

    def log(self, since: int = 0, **filters: str) -> list[dict[str, Any]]:
        """Entries above `since`; filters: endpoint, grant, client_id, decision, presented."""
        return self.control("GET", "log", since=since, **filters)["entries"]

    def last_number(self) -> int:
        """The number of the newest log entry, to pass as `since` later."""
        return self.control("GET", "log", since=10**15)["last_number"]

    def system(self, name: str) -> SystemControl:
        """What one of the sandbox's systems knows of partners, companies and keys."""
        return SystemControl(self.control, name)

    def write_local_catalogue(self, folder: Path) -> Path:
        """The folder, with one file for each provider of the catalogue that has an environment here."""
        folder.mkdir(parents=True, exist_ok=True)
        known = {file.stem for file in (PROJECT / "providers" / "catalogue").glob("*.toml")}
        found = self.control("GET", "environments")
        local_provider.write_files(folder, {provider: found[provider] for provider in known & found.keys()})
        return folder

    def wait_for_log(self, count: int, seconds: float = 5.0, **filters: Any) -> list[dict[str, Any]]:
        """The log entries, once there are `count` finished ones."""
        deadline = time.monotonic() + seconds
        while True:
            entries = [one for one in self.log(**filters) if one["finished"]]
            if len(entries) >= count:
                return entries
            if time.monotonic() > deadline:
                raise AssertionError(f"only {len(entries)} of {count} entries: {entries}")
            time.sleep(0.02)


@dataclass
class Form:
    """The first form of a page: where it goes, and what a browser would send for each button."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    inputs: list[dict[str, str]] = field(default_factory=list)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form = Form()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value if value is not None else "" for name, value in attributes}
        if tag == "form":
            self.form.action = given.get("action", "")
        if tag == "input" and "name" in given:
            self.form.inputs.append(given)
            if given.get("type") != "radio" or "checked" in given:
                self.form.fields[given["name"]] = given.get("value", "")


def read_form(page: httpx2.Response) -> Form:
    """The form of a page.

    Raises: AssertionError with the page's status when there is none.
    """
    reader = _FormReader()
    reader.feed(page.text)
    assert reader.form.action, f"no form on the page {page.url.path} (status {page.status_code}): {page.text[-600:]}"
    return reader.form


def sign_in_and_consent(client: httpx2.Client, url: str, **person: Any) -> str:
    """The URL at the client's redirect URI that the pages end with; it is not followed.

    `url` is the authorization request. The client needs a cookie jar (httpx2.Client has one); redirects are
    followed here and not by it. `person`: username, password, company (an id; without it the first one is taken)
    and allow.
    """
    return walk_pages(client, url, **person)[0]


def walk_pages(
    client: httpx2.Client,
    url: str,
    *,
    username: str = USER,
    password: str = PASSWORD,
    company: str | None = None,
    allow: bool = True,
) -> tuple[str, dict[str, str]]:
    """The same, with what a browser would post there: nothing unless the response mode is form_post."""
    base = httpx2.URL(url)
    page = client.get(url, follow_redirects=False)
    for _ in range(12):
        form = Form(page.headers["Location"]) if page.is_redirect else read_form(page)
        target = httpx2.URL(urljoin(str(page.url), form.action))
        if (target.host, target.port) != (base.host, base.port):
            return str(target), form.fields
        if page.is_redirect:
            page = client.get(target, follow_redirects=False)
            continue
        answers = _answers(form, username, password, company, allow)
        page = client.post(target, data=answers, follow_redirects=False)
        assert page.status_code < 400, f"the sandbox refused: {page.status_code} {page.text[-600:]}"
    raise AssertionError("the sandbox's pages came to no end")


def _answers(form: Form, username: str, password: str, company: str | None, allow: bool) -> dict[str, str]:
    """What a person would enter into this form, beside what is in it already."""
    if "password" in form.fields:
        return {**form.fields, "username": username, "password": password}
    if "company" in form.fields:
        return {**form.fields, "company": company or form.fields["company"]}
    return {**form.fields, "decision": "allow" if allow else "deny"}


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    """One sandbox for the whole test session (one per xdist worker), on a free port, in memory."""
    with SandboxProcess("--redirect-uri", REDIRECT_URI) as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """The sandbox as at its first start: seeded users and client, nothing else."""
    sandbox_process.reset()
    return sandbox_process
