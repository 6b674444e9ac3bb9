"""No key, token, signature or customer's link in a log, a repr, an exception or a traceback; and what is imported."""

import ast
import asyncio
import copy
import logging
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import httpx
import pytest
import requests
from callers import KEY
from fake_server import CONNECTION, LINK, Reply, Server, headers, problem, token, verdict
from token_broker import AsyncTokenBroker, ReauthorizationRequired, TokenBroker, TokenBrokerError

SOURCES = Path(__file__).resolve().parents[1] / "src" / "token_broker"
PLACE = {"tenant": "acme", "provider": "visma-eaccounting"}
PATH = "/v1/tenants/acme/providers/visma-eaccounting"
FEEDBACK = f"/v1/connections/{CONNECTION}/feedback"


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All loggers at their most talkative: httpx, httpcore, urllib3, requests, asyncio."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "urllib3", "requests", "asyncio", "token_broker"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def test_no_log_holds_a_secret(
    server: Server, vendor: Server, broker: TokenBroker, everything_logged: pytest.LogCaptureFixture
) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1), token(vendor.url, 2))
    server.on(FEEDBACK, verdict("renewed"), verdict("confirmed_dead", connect_url=LINK))
    server.on("/v1/connect-sessions", Reply(201, {"id": "1", "url": LINK, "expires_at": None}))
    vendor.on("/api/things", Reply(401, b"no"))
    broker.connect_link("acme", "visma-eaccounting")
    with httpx.Client(trust_env=False, verify=False, auth=broker.auth(**PLACE)) as client:
        with pytest.raises(ReauthorizationRequired):
            client.get(f"{vendor.url}/api/things")
    with requests.Session() as session, pytest.raises(ReauthorizationRequired):
        session.trust_env = False
        session.get(f"{vendor.url}/api/things", auth=broker.auth(**PLACE))
    assert "HTTP Request: GET" in everything_logged.text
    assert "send_request_headers" in everything_logged.text
    assert "urllib3" in everything_logged.text
    assert "canary" not in everything_logged.text


def test_tasks_log_no_secret_either(
    server: Server, vendor: Server, everything_logged: pytest.LogCaptureFixture
) -> None:
    server.on(f"{PATH}/token", problem("unsupported_operation", 422, supported=["hands_out_headers"]))
    server.on(f"{PATH}/headers", headers(vendor.url, **{"X-Mac": "canary-mac"}))
    vendor.on("/api/things", Reply(200, b"ok"))

    async def story() -> None:
        async with AsyncTokenBroker(server.url, KEY, trust_env=False, verify=False) as broker:
            async with httpx.AsyncClient(trust_env=False, verify=False, auth=broker.auth(**PLACE)) as client:
                assert (await client.get(f"{vendor.url}/api/things")).status_code == 200

    asyncio.run(story())
    assert vendor.seen[0].headers["x-mac"] == "canary-mac"
    assert "canary" not in everything_logged.text


def test_no_repr_holds_a_secret(server: Server, broker: TokenBroker) -> None:
    server.on(f"{PATH}/token", token(server.url))
    server.on(f"{PATH}/headers", headers(server.url, mac="canary"))
    server.on("/v1/connect-sessions", Reply(201, {"id": "1", "url": LINK, "expires_at": None}))
    server.on(FEEDBACK, verdict("not_a_token_problem", connect_url=LINK))
    shown = [
        broker,
        broker.settings,
        broker.auth(**PLACE),
        broker.token("acme", "visma-eaccounting"),
        broker.headers("acme", "visma-eaccounting", method="GET", url="https://x/"),
        broker.connect_link("acme", "visma-eaccounting"),
        broker.feedback(CONNECTION, status=401, version=1),
        AsyncTokenBroker(server.url, KEY, verify=False),
    ]
    assert "canary" not in f"{shown!r} {[str(one) for one in shown]}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        Reply(200, {"access_token": "canary"}),
        Reply(500, b"canary"),
        problem("reauthorization_required", 409, connect_url=LINK),
    ],
)
def test_no_traceback_leads_to_a_secret(server: Server, broker: TokenBroker, reply: Reply) -> None:
    server.on(f"{PATH}/token", reply)
    with pytest.raises(TokenBrokerError) as told:
        broker.token("acme", "visma-eaccounting", timeout=0.5)
    assert "canary" not in "".join(traceback.format_exception(told.value))
    chained = told.value.__cause__ or told.value.__context__
    assert not isinstance(chained, httpx.HTTPError)


def test_an_exception_survives_the_way_to_another_process(server: Server, broker: TokenBroker) -> None:
    server.on(f"{PATH}/token", problem("reauthorization_required", 409, connect_url=LINK, retry_after=3))
    with pytest.raises(ReauthorizationRequired) as told:
        broker.token("acme", "visma-eaccounting")
    for again in (copy.copy(told.value), pickle.loads(pickle.dumps(told.value))):
        assert (again.connect_url, again.retry_after, str(again)) == (LINK, 3, str(told.value))


def test_the_package_imports_its_dependencies_and_nothing_else() -> None:
    imported = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    # requests: for the type checker alone.
    assert imported - sys.stdlib_module_names == {"token_broker", "httpx", "anyio", "requests"}


def test_without_requests_it_serves_httpx() -> None:
    code = "import sys; sys.modules['requests'] = None; import token_broker, token_broker.cli.main"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCES.parent)}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
