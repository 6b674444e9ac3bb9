"""A token from the broker, and from memory."""

import os
import time
from datetime import timedelta

import pytest
from callers import KEY
from fake_server import CONNECTION, LINK, Reply, Server, headers, problem, token
from token_broker import (
    BrokerFault,
    BrokerUnreachable,
    Disconnected,
    InvalidRequest,
    NotAllowed,
    NotFound,
    ReauthorizationRequired,
    Token,
    TokenBroker,
    TryLater,
    UnsupportedOperation,
)

PATH = "/v1/tenants/acme/providers/visma-eaccounting/token"


def test_one_request_serves_until_shortly_before_the_end(server: Server, broker: TokenBroker) -> None:
    server.on(PATH, token(server.url, 1, 3600), token(server.url, 2, 3600))
    first = broker.token("acme", "visma-eaccounting")
    assert broker.token("acme", "visma-eaccounting") is first
    assert len(server.seen) == 1
    (asked,) = server.seen
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.query == {}
    # As long as the caller has, less what the way takes.
    assert asked.headers["prefer"] == "wait=4"


def test_a_token_that_ends_too_soon_for_this_caller_is_asked_for_anew(server: Server, broker: TokenBroker) -> None:
    server.on(PATH, token(server.url, 1, 100), token(server.url, 2, 3600))
    assert broker.token("acme", "visma-eaccounting").version == 1
    assert broker.token("acme", "visma-eaccounting", min_ttl=90).version == 1
    assert broker.token("acme", "visma-eaccounting", min_ttl=300).version == 2
    assert [one.query for one in server.seen] == [{}, {"min_ttl": "300"}]


@pytest.mark.parametrize(("margin", "asked"), [(2.0, 2), (0.0, 1)])
def test_it_is_held_until_the_margin_before_its_end(server: Server, margin: float, asked: int) -> None:
    server.on(PATH, lambda _: token(server.url, 1, 6))
    with TokenBroker(server.url, KEY, trust_env=False, margin=margin, verify=False) as broker:
        broker.token("acme", "visma-eaccounting")
        # The broker's clock is told in whole seconds: 5 to 6 s are left, of which the margin is a quarter at most.
        deadline = time.monotonic() + 4.75
        while time.monotonic() < deadline and len(server.seen) < 2:
            broker.token("acme", "visma-eaccounting")
            time.sleep(0.02)
    assert len(server.seen) == asked


def test_the_brokers_clock_counts_and_not_ours(server: Server, broker: TokenBroker) -> None:
    server.clock = timedelta(hours=-3)
    server.on(PATH, lambda _: token(server.url, 1, 3600, now=server.now()))
    broker.token("acme", "visma-eaccounting")
    broker.token("acme", "visma-eaccounting")
    assert len(server.seen) == 1


def test_a_token_without_an_end_is_asked_for_again_after_a_while(server: Server) -> None:
    server.on(PATH, token(server.url, 1, None), token(server.url, 2, None))
    with TokenBroker(server.url, KEY, trust_env=False, verify=False, max_age=0.2) as broker:
        assert broker.token("acme", "visma-eaccounting").expires_at is None
        # It is held for two seconds at least.
        deadline = time.monotonic() + 4
        while broker.token("acme", "visma-eaccounting").version == 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_by_connection_and_by_label_and_for_scopes(server: Server, broker: TokenBroker) -> None:
    server.on(f"/v1/connections/{CONNECTION}/token", token(server.url))
    server.on(PATH, token(server.url, 2))
    assert broker.token(connection=CONNECTION).version == 1
    assert broker.token("acme", "visma-eaccounting", label="shop 2", scope="a b").version == 2
    assert server.seen[1].query == {"label": "shop 2", "scope": "a b"}
    with pytest.raises(ValueError, match="name a tenant"):
        broker.token("acme")
    with pytest.raises(ValueError, match="name a tenant"):
        broker.token("acme", "visma-eaccounting", connection=CONNECTION)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("unauthenticated", 401, NotAllowed),
        ("caller_throttled", 429, NotAllowed),
        ("rate_limited", 429, TryLater),
        ("connection_not_found", 404, NotFound),
        ("unsupported_operation", 422, UnsupportedOperation),
        ("min_ttl_unattainable", 422, InvalidRequest),
        ("connection_disconnected", 410, Disconnected),
        ("provider_unavailable", 503, TryLater),
        ("registration_rejected", 502, BrokerFault),
        ("a_code_of_next_year", 418, InvalidRequest),
        ("another_of_next_year", 503, BrokerFault),
    ],
)
def test_each_code_is_one_kind_of_exception(
    server: Server, broker: TokenBroker, code: str, status: int, kind: type
) -> None:
    server.on(PATH, problem(code, status, retry_after=60, action="a_word"))
    with pytest.raises(kind) as told:
        broker.token("acme", "visma-eaccounting")
    assert type(told.value) is kind
    assert (told.value.code, told.value.status, told.value.retry_after, told.value.action) == (
        code,
        status,
        60,
        "a_word",
    )
    assert len(server.seen) == 1


def test_the_customer_s_link_is_in_the_exception_and_in_no_text(server: Server, broker: TokenBroker) -> None:
    server.on(PATH, problem("reauthorization_required", 409, connect_url=LINK, reason="grant_revoked"))
    with pytest.raises(ReauthorizationRequired) as told:
        broker.token("acme", "visma-eaccounting")
    assert told.value.connect_url == LINK
    assert told.value.reason == "grant_revoked"
    assert "canary" not in f"{told.value} {told.value!r} {told.value.args}"


def test_a_read_is_repeated_when_no_answer_came(server: Server, broker: TokenBroker) -> None:
    gateway = Reply(503, b"<html>no upstream</html>")
    renewing = problem("renewal_in_progress", 503, retry_after=0.1, retryable=True)
    server.on(PATH, Reply(drop=True), gateway, renewing, token(server.url))
    assert broker.token("acme", "visma-eaccounting").version == 1
    assert len(server.seen) == 4


def test_what_creates_is_not_repeated(server: Server, broker: TokenBroker) -> None:
    server.on("/v1/connect-sessions", Reply(drop=True))
    with pytest.raises(BrokerUnreachable):
        broker.connect_link("acme", "visma-eaccounting", idempotency_key="once")
    assert [one.headers["idempotency-key"] for one in server.seen] == ["once"]


def test_an_absent_broker_is_told_within_the_time(server: Server) -> None:
    with TokenBroker("http://127.0.0.1:9", KEY, trust_env=False, verify=False) as broker:
        started = time.monotonic()
        with pytest.raises(BrokerUnreachable) as told:
            broker.token("acme", "visma-eaccounting", timeout=0.5)
    assert time.monotonic() - started < 2
    assert told.value.__cause__ is None
    assert told.value.__context__ is None, "httpx's exception holds the request, and that the key"


@pytest.mark.parametrize("reply", [Reply(drop=True), problem("provider_unavailable", 503, retry_after=30)])
def test_what_still_works_is_served_while_the_broker_is_away(
    server: Server, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    server.on(PATH, token(server.url, 1, 600), reply)
    with TokenBroker(server.url, KEY, trust_env=False, verify=False, max_age=0) as broker:
        first = broker.token("acme", "visma-eaccounting")
        deadline = time.monotonic() + 8
        while len(server.seen) < 2:
            assert time.monotonic() < deadline
            assert broker.token("acme", "visma-eaccounting") is first
            time.sleep(0.02)
        assert "still works" in caplog.text
        asked = len(server.seen)
        assert broker.token("acme", "visma-eaccounting") is first
        assert len(server.seen) == asked, "the broker is left alone for a moment"
        with pytest.raises((BrokerUnreachable, TryLater)):
            broker.token("acme", "visma-eaccounting", min_ttl=700, timeout=0.5)


def test_what_the_broker_refuses_is_not_served_from_memory(server: Server) -> None:
    server.on(PATH, token(server.url, 1, 600), problem("connection_suspended", 423))
    with TokenBroker(server.url, KEY, trust_env=False, verify=False) as broker:
        broker.token("acme", "visma-eaccounting")
        for _ in range(2):
            with pytest.raises(Exception, match="suspended"):
                broker.token("acme", "visma-eaccounting", min_ttl=601)
        with pytest.raises(Exception, match="suspended"):
            broker.token("acme", "visma-eaccounting")


def test_a_batch_has_a_verdict_for_each(server: Server, broker: TokenBroker) -> None:
    ok = {"status": 200, "connection_id": CONNECTION, "token": token(server.url).body}
    dead = {"status": 409, "problem": problem("reauthorization_required", 409, connect_url=LINK).body}
    server.on("/v1/tokens", Reply(body={"results": [ok, dead]}))
    good, bad = broker.tokens([CONNECTION, ("acme", "fivaldi", "shop")], min_ttl=60)
    assert isinstance(good, Token)
    assert isinstance(bad, ReauthorizationRequired)
    assert bad.connect_url == LINK
    assert broker.token(connection=CONNECTION) is good, "what a batch brings is held"
    assert server.seen[0].json() == {
        "requests": [
            {"min_ttl": 60, "connection": CONNECTION},
            {"min_ttl": 60, "tenant": "acme", "provider": "fivaldi", "label": "shop"},
        ]
    }
    with pytest.raises(ValueError, match="500"):
        broker.tokens([])


def test_lists_are_read_to_their_end(server: Server, broker: TokenBroker) -> None:
    pages = [{"items": [{"id": str(n)}], "next_cursor": cursor} for n, cursor in enumerate(("one", "two", None))]
    server.on("/v1/connections", *(Reply(body=page) for page in pages))
    assert [one.id for one in broker.connections(tenant="acme", state="connected")] == ["0", "1", "2"]
    assert [one.query.get("cursor") for one in server.seen] == [None, "one", "two"]


def test_signed_headers_are_asked_for_each_request(server: Server, broker: TokenBroker) -> None:
    server.on("/v1/tenants/acme/providers/fivaldi/headers", headers(server.url, mac="1"))
    for _ in range(2):
        given = broker.headers("acme", "fivaldi", method="post", url="https://api.example/x", body=b"\xff")
        assert given.headers == {"mac": "1"}
    described = {"method": "POST", "url": "https://api.example/x", "body_base64": "/w=="}
    assert [one.json() for one in server.seen] == [described, described]


def test_an_answer_that_is_none_is_a_fault_without_its_text(server: Server, broker: TokenBroker) -> None:
    server.on(PATH, Reply(body={"access_token": "canary"}))
    with pytest.raises(BrokerFault) as told:
        broker.token("acme", "visma-eaccounting")
    assert "canary" not in str(told.value)
    assert told.value.__context__ is None or told.value.__suppress_context__


def test_a_key_file_is_read_for_each_request(server: Server, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on(PATH, token(server.url))
    path = tmp_path / "token"
    monkeypatch.setenv("BROKER_URL", server.url + "/")
    monkeypatch.setenv("BROKER_API_KEY_FILE", str(path))
    path.write_text("first.workload.token\n")
    with TokenBroker(trust_env=False, verify=False) as broker:
        broker.token("acme", "visma-eaccounting")
        path.write_text("second.workload.token\n")
        broker.forget()
        broker.token("acme", "visma-eaccounting")
    told = [one.headers["authorization"] for one in server.seen]
    assert told == ["Bearer first.workload.token", "Bearer second.workload.token"]


@pytest.mark.parametrize("key", ["", "  ", "canary\r\nX: y", "canäry"])
def test_what_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as told:
        TokenBroker("http://127.0.0.1", key)
    assert "can" not in str(told.value).replace("cannot", "")


@pytest.mark.parametrize("url", ["", "broker.example", "ftp://broker.example", "https://user:pw@broker.example"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="BROKER_URL"):
        TokenBroker(url, KEY)


def test_a_process_that_was_forked_has_connections_of_its_own(server: Server, broker: TokenBroker) -> None:
    server.on(PATH, lambda _: token(server.url))
    broker.token("acme", "visma-eaccounting")
    held = broker._http
    broker._process = os.getpid() - 1
    broker.forget()
    broker.token("acme", "visma-eaccounting")
    assert broker._http is not held
    held.close()
