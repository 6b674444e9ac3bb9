"""The command `broker`: what it prints, and how it ends."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from callers import KEY
from fake_server import CONNECTION, LINK, SECRET, Reply, Server, headers, problem, token
from token_broker.cli.main import main

SOURCES = Path(__file__).resolve().parents[1] / "src"
PATH = "/v1/tenants/acme/providers/visma-eaccounting"
SUMMARY = {
    "id": CONNECTION,
    "tenant": "acme",
    "provider": "visma-eaccounting",
    "environment": "production",
    "label": "",
    "state": "degraded",
    "reason": "renewal_failing",
    "reason_text": "",
    "external_account": "Acme\x1b[31m Oy",
    "external_account_id": "1",
    "connected_at": "2026-01-02T03:04:05Z",
}


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with the key in its environment."""
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("BROKER_URL", "BROKER_API_KEY", "BROKER_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, stdin: str = "", **environ: str | None) -> Done:
        given = {"BROKER_URL": server.url, "BROKER_API_KEY": KEY, "HOME": str(tmp_path), **environ}
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            status = main(words, {name: value for name, value in given.items() if value is not None})
        except SystemExit as end:
            status = int(str(end.code))
        return Done(status, *capsys.readouterr())

    return run


def base() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), "PYTHONWARNINGS": "error"}


def test_raw_is_the_token_and_nothing_else(server: Server, run: Run) -> None:
    server.on(f"{PATH}/token", token(server.url))
    done = run("token", "acme", "visma-eaccounting", "--raw", "--min-ttl", "60", "--scope", "a b")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{SECRET}-1\n", "")
    assert server.seen[0].query == {"min_ttl": "60", "scope": "a b"}


def test_without_raw_the_token_is_not_on_the_screen(server: Server, run: Run) -> None:
    server.on(f"/v1/connections/{CONNECTION}/token", token(server.url))
    done = run("token", "--connection", CONNECTION)
    assert done.returncode == 0
    assert "canary" not in done.stdout
    assert "version        1" in done.stdout
    assert "Authorization, X-Vendor-Key" in done.stdout


def test_json_is_all_that_the_broker_told(server: Server, run: Run) -> None:
    server.on(f"{PATH}/token", token(server.url))
    told = json.loads(run("token", "acme", "visma-eaccounting", "--json").stdout)
    assert told["access_token"] == f"{SECRET}-1"
    assert told["headers"]["Authorization"].startswith("Bearer ")
    assert told["expires_at"].startswith("20")


def test_headers_are_as_curl_reads_them(server: Server, run: Run) -> None:
    server.on(f"{PATH}/headers", headers(server.url, Mac="1", Time="2"))
    words = ("--method", "POST", "--to", "https://api.example/x", "--body-file", "-", "--content-type", "text/xml")
    done = run("headers", "acme", "visma-eaccounting", *words, stdin="<x/>")
    assert done.stdout == "Mac: 1\nTime: 2\n"
    assert server.seen[0].json() == {
        "method": "POST",
        "url": "https://api.example/x",
        "body_base64": "PHgvPg==",
        "content_type": "text/xml",
    }


def test_connections_are_a_table(server: Server, run: Run) -> None:
    server.on("/v1/connections", Reply(body={"items": [SUMMARY], "next_cursor": None}))
    done = run("connections", "--tenant", "acme")
    title, row = done.stdout.splitlines()
    assert title.split()[:4] == ["ID", "TENANT", "PROVIDER", "LABEL"]
    assert row.index("degraded") == title.index("STATE")
    # An account's name is the customer's own text.
    assert "Acme?[31m Oy" in row
    assert json.loads(run("connections", "--json").stdout)["items"][0]["external_account"] == "Acme\x1b[31m Oy"


def test_one_connection_with_what_happened_to_it(server: Server, run: Run) -> None:
    timeline = [{"at": "2026-01-02T03:04:05Z", "action": "connection.connected", "actor": "customer", "detail": {}}]
    server.on(f"/v1/connections/{CONNECTION}", Reply(body={**SUMMARY, "version": 7, "timeline": timeline}))
    text = run("connection", CONNECTION).stdout
    assert "version" in text
    assert "connection.connected  customer" in text
    assert json.loads(run("connection", CONNECTION, "--json").stdout)["timeline"] == timeline


def test_a_link_and_an_end(server: Server, run: Run) -> None:
    made = {"id": "s1", "url": LINK, "expires_at": "2026-01-02T03:04:05Z"}
    server.on("/v1/connect-sessions", Reply(201, made))
    assert run("connect-link", "acme", "visma-eaccounting", "--locale", "fi").stdout == LINK + "\n"
    assert server.seen[0].json() == {"tenant": "acme", "providers": ["visma-eaccounting"], "locale": "fi"}
    server.on(f"/v1/connections/{CONNECTION}", Reply(body={"state": "disconnected", "revoked_at_provider": True}))
    assert run("disconnect", CONNECTION).returncode == 2
    assert len(server.seen) == 1
    assert "True" in run("disconnect", CONNECTION, "--yes").stdout
    assert server.seen[1].method == "DELETE"


def test_a_batch_is_json_lines(server: Server, run: Run) -> None:
    ok = {"status": 200, "connection_id": CONNECTION, "token": token(server.url).body}
    bad = {"status": 404, "problem": problem("connection_not_found", 404).body}
    server.on("/v1/tokens", Reply(body={"results": [ok, bad]}))
    done = run("batch", "-", stdin=f"{CONNECTION}\n\nacme fivaldi shop\n")
    good, missing = map(json.loads, done.stdout.splitlines())
    assert good["token"]["access_token"] == f"{SECRET}-1"
    assert (missing["asked"], missing["problem"]["code"]) == ("acme fivaldi shop", "connection_not_found")


def events(*numbers: int, **more: Any) -> Reply:
    data = {"connection": CONNECTION, "tenant": "acme", "state": "connected"}
    items = [
        {"id": f"msg_{n}", "cursor": str(n), "type": "connection.connected", "timestamp": "2026-01-02T03:04:05Z"}
        for n in numbers
    ]
    last = str(numbers[-1]) if numbers else more["last"]
    return Reply(body={"items": [{**item, "data": data} for item in items], "next_cursor": last})


def test_events_as_they_come(server: Server, run: Run) -> None:
    server.on("/v1/events", events(1, 2), events(3), events(last="3"))
    words = ("tail", "--after", "start", "--no-follow", "--type", "connection.connected", "--type", "webhook.test")
    done = run(*words)
    assert [line.split()[2:5] for line in done.stdout.splitlines()] == [
        ["connection.connected", CONNECTION, "acme"]
    ] * 3
    assert [one.query.get("cursor") for one in server.seen] == [None, "2", "3"]
    assert server.seen[0].query["type"] == "connection.connected,webhook.test"
    assert server.seen[0].headers["prefer"] == "wait=0"
    server.on("/v1/events", events(4), events(last="4"))
    (told,) = run("tail", "--after", "3", "--no-follow", "--json").stdout.splitlines()
    assert (json.loads(told)["id"], json.loads(told)["cursor"]) == ("msg_4", "4")


def test_tail_waits_at_the_broker_and_ends_when_it_is_told_to(server: Server, run: Run) -> None:
    # What does not wait is asked again after a second: three requests that follow each other.
    server.on("/v1/events", events(1), events(last="1"), problem("forbidden", 403))
    done = run("tail")
    assert done.returncode == 1
    assert [one.query["cursor"] for one in server.seen] == ["now", "1", "1"]
    assert {one.headers["prefer"] for one in server.seen} == {"wait=20"}


def test_a_refusal_ends_with_1(server: Server, run: Run) -> None:
    refusal = problem("reauthorization_required", 409, connect_url=LINK, retry_after=None)
    server.on(f"{PATH}/token", refusal)
    done = run("token", "acme", "visma-eaccounting", "--raw")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "broker: reauthorization_required: about reauthorization_required",
        f"the customer's link: {LINK}",
    ]
    done = run("token", "acme", "visma-eaccounting", "--json")
    assert (done.returncode, json.loads(done.stderr)["code"]) == (1, "reauthorization_required")


@pytest.mark.parametrize(
    ("words", "environ", "told"),
    [
        (("token",), {}, "name a tenant"),
        (("token", "acme", "x"), {"BROKER_API_KEY": None}, "there is no API key"),
        (("token", "acme", "x"), {"BROKER_URL": None}, "BROKER_URL"),
        (("--key-file", "/nowhere", "token", "acme", "x"), {}, "/nowhere"),
        (("tokens",), {}, "invalid choice"),
        ((), {}, "required"),
        (("batch", "/nowhere"), {}, "/nowhere"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...], environ: dict[str, None], told: str) -> None:
    done = run(*words, **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_not_there_ends_with_3(run: Run) -> None:
    done = run("--timeout", "0.5", "token", "acme", "x", BROKER_URL="http://127.0.0.1:9")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def config(home: Path, text: str, mode: int = 0o600) -> None:
    path = home / ".config" / "token-broker" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)


NO_ENVIRONMENT = {"BROKER_URL": None, "BROKER_API_KEY": None}


def test_address_and_key_from_a_file_of_the_owner_s(server: Server, run: Run, tmp_path: Path) -> None:
    server.on(f"{PATH}/token", token(server.url))
    config(tmp_path, f'url = "{server.url}"\nkey = "{KEY}"\n')
    assert run("token", "acme", "visma-eaccounting", "--raw", **NO_ENVIRONMENT).returncode == 0
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(server: Server, run: Run, tmp_path: Path, mode: int) -> None:
    config(tmp_path, f'url = "{server.url}"\nkey = "{KEY}"\n', mode)
    done = run("token", "acme", "visma-eaccounting", **NO_ENVIRONMENT)
    assert done.returncode == 2
    assert "chmod 600" in done.stderr
    assert server.seen == []


@pytest.mark.parametrize("text", ['key = "canary', 'kee = "canary"'])
def test_a_file_that_is_wrong_is_not_quoted(run: Run, tmp_path: Path, text: str) -> None:
    config(tmp_path, text)
    done = run("token", "acme", "x", **NO_ENVIRONMENT)
    assert done.returncode == 2
    assert "canary" not in done.stderr


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_only_on_a_terminal(server: Server, environ: dict[str, str], coloured: bool) -> None:
    server.on("/v1/connections", Reply(body={"items": [SUMMARY], "next_cursor": None}))
    given = {"BROKER_URL": server.url, "BROKER_API_KEY": KEY, "NO_PROXY": "*", "TERM": "xterm", **environ}
    command = [sys.executable, "-m", "token_broker", "connections"]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, env={**base(), **given}, stdout=theirs, stderr=subprocess.PIPE)
        os.close(theirs)
        shown = b""
        # Linux answers EIO when the other end is gone.
        while b"Oy" not in shown:
            shown += terminal.read(4096)
        assert process.communicate(timeout=20)[1] == b""
    assert (b"\x1b[33mdegraded" in shown) is coloured


def test_the_key_is_in_no_output(server: Server, run: Run) -> None:
    for reply in (problem("internal_error", 500), Reply(drop=True), Reply(body=[])):
        server.on(f"{PATH}/token", reply)
        done = run("--timeout", "1", "token", "acme", "visma-eaccounting", "--json")
        assert done.returncode in (1, 3)
        assert "canary" not in done.stdout + done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(server: Server) -> None:
    many = [{**SUMMARY, "external_account": "x" * 100}] * 5000
    server.on("/v1/connections", Reply(body={"items": many, "next_cursor": None}))
    given = {"BROKER_URL": server.url, "BROKER_API_KEY": KEY, "NO_PROXY": "*"}
    words = f"{sys.executable} -m token_broker connections --limit 5000 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], env={**base(), **given}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert done.stderr == ""
