"""Start, stop, crash and second start."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.fakes.sandbox import PROJECT, REDIRECT_URI, SandboxProcess
from tests.sandbox.client import Client, browser

SEED = ("--redirect-uri", REDIRECT_URI)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_second_start_knows_users_clients_and_grants(tmp_path: Path, way: str) -> None:
    with browser() as http:
        first = SandboxProcess(*SEED, "--data", str(tmp_path)).start()
        client = Client(first, http)
        first.change_password("anna@acme.example", "kept-password")
        first.change_password("anna@acme.example", "sandbox-password")
        tokens = client.refresh(client.tokens()["refresh_token"]).json()
        getattr(first, way)()
        with SandboxProcess("--data", str(tmp_path)) as second:
            client.sandbox = second
            assert client.api(tokens["access_token"]).status_code == 200
            assert client.refresh(tokens["refresh_token"]).status_code == 200
            assert second.grants()[0]["rotations"] == 2
            assert second.control("GET", "clients")["clients"][0]["redirect_uris"] == [REDIRECT_URI]


def test_a_changed_password_survives_a_restart(tmp_path: Path) -> None:
    with SandboxProcess(*SEED, "--data", str(tmp_path)) as first:
        first.change_password("anna@acme.example", "kept-password")
    with SandboxProcess("--data", str(tmp_path)) as second, browser() as http:
        with pytest.raises(AssertionError, match="refused: 400"):
            Client(second, http).authorize()


def test_a_generated_secret_is_in_the_data_folder(tmp_path: Path) -> None:
    with SandboxProcess(*SEED, "--data", str(tmp_path), client_secret=None) as process, browser() as http:
        kept = tmp_path / "client-secret"
        assert kept.stat().st_mode & 0o077 == 0
        assert Client(process, http, client_secret=kept.read_text().strip()).tokens()


def test_two_sandboxes_do_not_share_a_folder(tmp_path: Path) -> None:
    with SandboxProcess("--data", str(tmp_path)):
        with pytest.raises(RuntimeError, match="exit status 1"):
            SandboxProcess("--data", str(tmp_path)).start()


def test_options_reach_new_grants() -> None:
    options = ("--access-token-seconds", "7", "--rotation", "none", "--response-iss", "send")
    with SandboxProcess(*SEED, *options) as process, browser() as http:
        client = Client(process, http)
        tokens = client.tokens()
        assert tokens["expires_in"] == 7
        assert "refresh_token" not in client.refresh(tokens["refresh_token"]).json()
        assert client.authorize()["iss"] == process.url
        document = http.get(f"{process.url}/.well-known/openid-configuration").json()
        assert document["authorization_response_iss_parameter_supported"] is True


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A sandbox started by hand, killed at the end if it still runs."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--ready-file", str(tmp_path / "ready.json")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_cleanly_even_with_a_request_stalled(
    bare: subprocess.Popen[bytes], tmp_path: Path, number: int
) -> None:
    assert bare.stdout is not None
    line = bare.stdout.readline()
    url = json.loads(line)["url"]
    assert json.loads((tmp_path / "ready.json").read_text()) == {"ready": True, "url": url}
    _stall(url)
    before = time.monotonic()
    bare.send_signal(number)
    _, noise = bare.communicate(timeout=5)
    assert time.monotonic() - before < 1
    assert (bare.returncode, noise) == (0, b"")


def test_it_listens_on_loopback_only() -> None:
    command = [sys.executable, "-m", "sandbox", "--host", "0.0.0.0", "--port", "0"]
    assert subprocess.run(command, cwd=PROJECT, capture_output=True, check=False).returncode == 2


def _stall(url: str) -> None:
    fault = {"endpoint": "metadata", "kind": "stall", "seconds": 60}
    httpx2.post(f"{url}/_sandbox/faults", json=fault, trust_env=False)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(f"{url}/.well-known/openid-configuration", timeout=0.2, trust_env=False)
