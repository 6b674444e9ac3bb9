"""Where a request's fields go: a form, JSON, or the query."""

from __future__ import annotations

import json
import logging

import pytest

from providers.errors import ProviderUnavailable
from providers.messages import HttpRequest
from tests.providers.outbound.doors import FIELDS, door
from tests.providers.peer import Peer, answering


def sent(path: str = "/token", **request: object) -> tuple[bytes, bytes]:
    """Head and body as a peer receives them."""
    with Peer(answering("200 OK", b"{}")) as peer:
        door().send(HttpRequest(url=peer.url + path, endpoint="token", fields=FIELDS, **request))
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    return head, body


def test_json_is_an_object():
    head, body = sent(method="POST", encoding="json")
    assert b"\r\nContent-Type: application/json" in head
    assert json.loads(body) == dict(FIELDS)


@pytest.mark.parametrize(("path", "mark"), [("/token", b"?"), ("/token?a=1", b"?a=1&")])
def test_the_query_is_added_to_the_address_and_the_body_is_empty(path, mark):
    head, body = sent(path, method="PUT", encoding="query")
    expected = b"PUT /token" + mark + b"grant_type=refresh_token&refresh_token=canary-1+%26%C3%A9 HTTP/1.1\r\n"
    assert head.startswith(expected)
    assert b"Content-Type" not in head
    assert b"Content-Length: 0" in head
    assert body == b""


def test_other_methods_than_post_have_a_body_too():
    head, body = sent(method="PUT")
    assert head.startswith(b"PUT /token HTTP/1.1")
    assert body.startswith(b"grant_type=")


def test_a_secret_in_the_query_shows_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    with Peer(lambda connection, peer: peer.read_request(connection) and None) as peer:
        request = HttpRequest(method="PUT", url=peer.url, endpoint="token", fields=FIELDS, encoding="query")
        with pytest.raises(ProviderUnavailable) as caught:
            door().send(request)
    assert b"canary" in peer.requests[0]
    assert "canary" not in f"{request!r} {caught.value} {caught.value.__context__} {caplog.text}"


def test_a_header_that_http_cannot_carry_is_not_quoted():
    headers = {"X-Key": "canary-2\r\nX-Injected: 1"}
    with Peer(answering("200 OK")) as peer, pytest.raises(ProviderUnavailable) as caught:
        door().send(HttpRequest(method="GET", url=peer.url, endpoint="api", headers=headers))
    error = caught.value
    assert not error.sent
    assert "canary" not in f"{error} {error.__cause__} {error.__context__}"
    assert peer.requests == []
