"""Below Django and with it, the hot routes answer alike; whatever is not exactly one of them goes on to Django."""

import io
import json
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application

from broker.api.front import Front
from tests.broker.api.test_batch import by_id

Sent = tuple[str, dict[str, str], bytes]


class Behind:
    """Django's place: notes what reaches it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.reached.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"behind"]


def environ(method: str, path: str, key: str = "", body: bytes = b"", **more: Any) -> dict[str, Any]:
    made = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    if body:
        made |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json"}
    if key:
        made["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return made | more


def send(application: Any, request: dict[str, Any]) -> Sent:
    told: list[Any] = []
    body = b"".join(application(request, lambda status, headers: told.extend((status, dict(headers)))))
    return told[0], told[1], body


@pytest.fixture
def behind() -> Behind:
    return Behind()


def test_below_django_and_with_it_the_answers_are_the_same(connect, settled):
    connection = connect()
    django = get_wsgi_application()
    front = Front(lambda *_: pytest.fail("it went on to Django"))
    names = "/v1/tenants/aalto/providers/visma-eaccounting"
    described = b'{"method": "GET", "url": "https://elsewhere.example/"}'
    requests = [
        ("GET", f"/v1/connections/{connection.id}/token", b"", {}),
        ("GET", f"{names}/token", b"", {}),
        ("GET", f"{names}/token", b"", {"QUERY_STRING": "label=none"}),
        ("GET", f"{names}/token", b"", {"QUERY_STRING": "min_ttl=x"}),
        ("GET", "/v1/connections/nonsense/token", b"", {}),
        ("GET", f"/v1/connections/{connection.id}/token", b"", {"HTTP_AUTHORIZATION": "Bearer nonsense"}),
        ("POST", f"/v1/connections/{connection.id}/headers", described, {}),
        ("POST", f"{names}/headers", b"{", {}),
        ("POST", "/v1/tokens", json.dumps(by_id(connection, "x")).encode(), {}),
    ]
    for method, path, body, more in requests:
        below = send(front, environ(method, path, settled.aalto_key, body, **more))
        with_it = send(django, environ(method, path, settled.aalto_key, body, **more))
        assert below[0] == with_it[0], path
        assert below[2] == with_it[2], path
        # Where the caller stands has moved on between the two.
        told = {name: value for name, value in below[1].items() if name != "RateLimit"}
        assert told.items() <= with_it[1].items(), path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/connections"),
        ("GET", "/v1/connections/"),
        ("GET", "/v1/connections//token"),
        ("POST", "/v1/connections/x/token"),
        ("HEAD", "/v1/connections/x/token"),
        ("GET", "/v1/connections/x/headers"),
        ("GET", "/v1/connections/x/token/"),
        ("GET", "/v1/connections/x/y/token"),
        ("GET", "/v1/tenants/a/providers//token"),
        ("GET", "/v1/tenants/a/provider/b/token"),
        ("GET", "/v1/tenants/\xe5/providers/b/token"),
        ("GET", "/v1/tokens"),
        ("GET", "/v2/connections/x/token"),
        ("GET", "/"),
        ("GET", ""),
    ],
)
def test_what_is_not_exactly_a_hot_route_goes_on(behind, method, path):
    assert send(Front(behind), environ(method, path))[2] == b"behind"
    assert behind.reached == [path]


def test_plain_http_goes_on_where_https_is_asked_for_so_that_it_is_redirected(behind, settings):
    path = "/v1/connections/x/token"
    settings.SECURE_SSL_REDIRECT, settings.SECURE_PROXY_SSL_HEADER, settings.SECURE_HSTS_SECONDS = True, None, 60
    front = Front(behind)
    send(front, environ("GET", path))
    assert behind.reached == [path]
    status, headers, _ = send(front, environ("GET", path, **{"wsgi.url_scheme": "https"}))
    assert (status, headers["Strict-Transport-Security"]) == (
        "401 Unauthorized",
        "max-age=60; includeSubDomains; preload",
    )
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert send(front, environ("GET", path, HTTP_X_FORWARDED_PROTO="https"))[0] == "401 Unauthorized"
    assert send(front, environ("GET", path, **{"wsgi.url_scheme": "https"}))[2] == b"behind"
