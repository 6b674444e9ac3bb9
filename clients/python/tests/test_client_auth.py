"""`auth`: fetched, sent, reported, tried once more; and never shown to anybody else."""

import httpx
import pytest
from callers import KEY, PATH, PLACE, Call, stream_for
from fake_server import CONNECTION, LINK, SECRET, VENDOR_SECRET, Reply, Seen, Server, problem, token, verdict
from token_broker import (
    AsyncTokenBroker,
    ForeignOrigin,
    NotFound,
    ReauthorizationRequired,
    ScopeMissing,
    TokenBroker,
)
from token_broker.calls import told_of

FEEDBACK = f"/v1/connections/{CONNECTION}/feedback"


def accepts(version: int) -> Reply:
    """What the provider answers to a token: this version is good, any other is refused."""

    def answer(seen: Seen) -> Reply:
        good = seen.headers.get("authorization") == f"Bearer {SECRET}-{version}"
        refused = {"WWW-Authenticate": 'Bearer error="invalid_token"', "Retry-After": "7", "Set-Cookie": "a=b"}
        return Reply(200, {"name": "Acme Oy"}) if good else Reply(401, b"no: " + b"x" * 9000, refused)

    return answer


def test_all_the_headers_of_the_token_are_sent(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    vendor.on("/api/things", accepts(1))
    assert call(server.url, PLACE, "GET", f"{vendor.url}/api/things").status == 200
    (sent,) = vendor.seen
    assert sent.headers["x-vendor-key"] == VENDOR_SECRET
    assert len(server.seen) == 1


@pytest.mark.parametrize("said", ["renewed", "stale_version"])
def test_a_401_is_reported_and_the_call_repeated_once(server: Server, vendor: Server, call: Call, said: str) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1), token(vendor.url, 2))
    server.on(FEEDBACK, verdict(said))
    vendor.on("/api/things", accepts(2))
    got = call(server.url, PLACE, "POST", f"{vendor.url}/api/things", content=b"once more")
    assert (got.status, got.requests) == (200, 2)
    assert [one.body for one in vendor.seen] == [b"once more"] * 2
    (report,) = server.of(FEEDBACK)
    told = report.json()
    assert (told["status"], told["version"], told["www_authenticate"]) == (401, 1, 'Bearer error="invalid_token"')
    assert told["headers"]["retry-after"] == "7"
    assert "set-cookie" not in told["headers"]
    assert len(told["body"]) == 8000


def test_a_report_holds_what_the_api_takes() -> None:
    given = {f"x-{n}": "v\x00" + "v" * 3000 for n in range(60)} | {"n" * 101: "v"}
    told = told_of(401, 1, headers={**given, "WWW-Authenticate": "Bearer" * 1000}, body="\x00" + "b" * 9000)
    assert (len(told["headers"]), {*map(len, told["headers"].values())}) == (50, {2000})
    assert (len(told["www_authenticate"]), told["body"]) == (2000, "b" * 8000)
    assert "\x00" not in str(told)
    assert max(map(len, told_of(401, 1, headers={"n" * 101: "v", "n" * 100: "v"})["headers"])) == 100


def test_a_second_refusal_is_no_third_attempt(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1), token(vendor.url, 2))
    server.on(FEEDBACK, verdict("renewed"), verdict("not_a_token_problem"))
    vendor.on("/api/things", accepts(3))
    assert call(server.url, PLACE, "GET", f"{vendor.url}/api/things").status == 401
    assert len(vendor.seen) == 2
    assert [one.json()["version"] for one in server.of(FEEDBACK)] == [1, 2]


def test_a_broker_without_a_newer_token_is_no_reason_to_try_again(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1))
    server.on(FEEDBACK, verdict("renewed"))
    vendor.on("/api/things", accepts(2))
    assert call(server.url, PLACE, "GET", f"{vendor.url}/api/things").status == 401
    assert len(vendor.seen) == 1


def test_a_dead_connection_is_an_exception_with_the_link(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    dead = {"action": "send_customer_to_connect_url", "connect_url": LINK, "reason": "grant_revoked"}
    server.on(FEEDBACK, verdict("confirmed_dead", **dead))
    vendor.on("/api/things", accepts(2))
    with pytest.raises(ReauthorizationRequired) as told:
        call(server.url, PLACE, "GET", f"{vendor.url}/api/things")
    assert told.value.connect_url == LINK
    assert told.value.action == "send_customer_to_connect_url"
    assert "canary" not in f"{told.value!r}{told.value}"


def test_a_missing_scope_is_an_exception(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    server.on(FEEDBACK, verdict("scope_missing", action="ask_customer_for_more_rights"))
    vendor.on("/api/things", Reply(403, b"insufficient_scope"))
    with pytest.raises(ScopeMissing) as told:
        call(server.url, PLACE, "GET", f"{vendor.url}/api/things")
    assert told.value.action == "ask_customer_for_more_rights"


@pytest.mark.parametrize("said", ["not_a_token_problem", "provider_unavailable", "right_missing"])
def test_any_other_verdict_leaves_the_answer_as_it_is(server: Server, vendor: Server, call: Call, said: str) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    server.on(FEEDBACK, verdict(said))
    vendor.on("/api/things", Reply(403, b"no"))
    got = call(server.url, PLACE, "GET", f"{vendor.url}/api/things")
    assert (got.status, got.text, got.requests) == (403, "no", 1)


def test_a_broker_that_is_away_does_not_hide_the_answer(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    server.on(FEEDBACK, Reply(drop=True))
    vendor.on("/api/things", accepts(2))
    assert call(server.url, PLACE, "GET", f"{vendor.url}/api/things").status == 401
    assert len(server.of(FEEDBACK)) == 1


def test_other_answers_are_reported_where_the_service_says_so(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1), token(vendor.url, 2))
    server.on(FEEDBACK, verdict("stale_version"))
    vendor.on("/api/things", Reply(200, b"<Status>FAILED</Status>"), Reply(200, b"<Status>OK</Status>"))
    place = {**PLACE, "refused": lambda answer: "FAILED" in answer.text}
    assert "OK" in call(server.url, place, "GET", f"{vendor.url}/api/things").text
    assert server.of(FEEDBACK)[0].json()["status"] == 200


def test_a_body_that_is_gone_is_not_sent_again(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1), token(vendor.url, 2))
    server.on(FEEDBACK, verdict("renewed"))
    vendor.on("/api/things", accepts(2))
    got = call(server.url, PLACE, "POST", f"{vendor.url}/api/things", content=stream_for(call))
    assert got.status == 401
    assert [one.body for one in vendor.seen] == [b"all there is"]
    assert len(server.of(FEEDBACK)) == 1


def test_a_foreign_host_gets_nothing(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token("https://api.example"))
    with pytest.raises(ForeignOrigin, match=r"api\.example"):
        call(server.url, PLACE, "GET", f"{vendor.url}/api/things")
    assert vendor.seen == []


def test_a_further_address_of_the_provider_may_be_named(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token("https://api.example"))
    vendor.on("/files/1", Reply(200, b"file"))
    place = {**PLACE, "origins": [f"{vendor.url}/files"]}
    assert call(server.url, place, "GET", f"{vendor.url}/files/1").text == "file"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_takes_nothing_along(
    server: Server, vendor: Server, call: Call, status: int
) -> None:
    elsewhere = Server()
    try:
        elsewhere.on("/download", Reply(200, b"file"))
        server.on(f"{PATH}/token", token(vendor.url))
        vendor.on("/api/things", Reply(302, b"", {"Location": f"{vendor.url}/api/more"}))
        vendor.on("/api/more", Reply(status, b"", {"Location": f"{elsewhere.url}/download"}))
        assert call(server.url, PLACE, "GET", f"{vendor.url}/api/things").text == "file"
        (asked,) = elsewhere.seen
    finally:
        elsewhere.close()
    assert "canary" not in str(asked.headers)
    assert [one.headers["x-vendor-key"] for one in vendor.seen] == [VENDOR_SECRET] * 2


def test_the_answer_of_another_host_is_not_reported(server: Server, vendor: Server, call: Call) -> None:
    elsewhere = Server()
    try:
        elsewhere.on("/download", Reply(401, b"who are you"))
        server.on(f"{PATH}/token", token(vendor.url))
        vendor.on("/api/things", Reply(302, b"", {"Location": f"{elsewhere.url}/download"}))
        assert call(server.url, PLACE, "GET", f"{vendor.url}/api/things").status == 401
    finally:
        elsewhere.close()
    assert server.of(FEEDBACK) == []


def test_a_broker_that_names_no_connection_is_asked_for_it(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", token(vendor.url, 1, connection_id=None), token(vendor.url, 2, connection_id=None))
    items = [
        {"id": "gone", "state": "disconnected", "label": ""},
        {"id": CONNECTION, "state": "connected", "label": "shop"},
        {"id": "other", "state": "connected", "label": "other shop"},
    ]
    server.on("/v1/connections", Reply(body={"items": items, "next_cursor": None}))
    server.on(FEEDBACK, verdict("renewed"))
    vendor.on("/api/things", accepts(2))
    place = {**PLACE, "label": "shop"}
    assert call(server.url, place, "GET", f"{vendor.url}/api/things").status == 200


def test_what_the_broker_refuses_is_raised_before_anything_is_sent(server: Server, vendor: Server, call: Call) -> None:
    server.on(f"{PATH}/token", problem("connection_not_found", 404))
    with pytest.raises(NotFound):
        call(server.url, PLACE, "GET", f"{vendor.url}/api/things")
    assert vendor.seen == []


def test_an_answer_that_is_streamed_is_not_read_for_us(server: Server, vendor: Server, broker: TokenBroker) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    vendor.on("/api/things", accepts(1))
    with httpx.Client(trust_env=False, verify=False, auth=broker.auth(**PLACE)) as client:
        with client.stream("GET", f"{vendor.url}/api/things") as answer:
            assert not answer.is_closed
            assert b"Acme" in b"".join(answer.iter_bytes())


def test_a_trace_of_the_service_s_own_is_still_called(server: Server, vendor: Server, broker: TokenBroker) -> None:
    server.on(f"{PATH}/token", token(vendor.url))
    vendor.on("/api/things", accepts(1))
    events: list[str] = []
    with httpx.Client(trust_env=False, verify=False, auth=broker.auth(**PLACE)) as client:
        client.get(f"{vendor.url}/api/things", extensions={"trace": lambda event, info: events.append(event)})
    assert any(event.endswith("send_request_headers.started") for event in events)


def test_a_client_that_takes_any_callable_is_refused(broker: TokenBroker) -> None:
    with pytest.raises(TypeError, match="httpx and requests"):
        broker.auth(**PLACE)(object())


def test_an_auth_for_tasks_says_so_to_a_client_for_threads(server: Server) -> None:
    auth = AsyncTokenBroker(server.url, KEY, verify=False).auth(**PLACE)
    with (
        httpx.Client(trust_env=False, verify=False, auth=auth) as client,
        pytest.raises(TypeError, match="TokenBroker"),
    ):
        client.get("http://127.0.0.1:9/")
