"""Addresses and methods that nobody serves: a problem each, never a page of HTML."""

import pytest


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/connections/", "/v1/connections/a/b/c", "/v1/%00"])
def test_what_is_not_there_is_a_problem(call, settled, method, path):
    answer = call(method, path, settled.aalto_key)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "route_not_found"


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing"])
def test_a_head_has_the_headers_alone(call, path):
    answer = call("HEAD", path)
    assert (answer.status_code, answer["Content-Type"], answer.content) == (404, "application/problem+json", b"")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/connections", {"GET"}),
        ("/v1/connect-sessions", {"POST"}),
        ("/v1/connections/x", {"GET", "DELETE"}),
        ("/v1/connections/x/token", {"GET"}),
        ("/v1/connections/x/headers", {"POST"}),
        ("/v1/tokens", {"POST"}),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "PATCH", "TRACE"])
def test_a_method_that_is_not_there_is_a_problem_that_names_those_that_are(call, settled, method, path, allowed):
    answer = call(method, path, settled.aalto_key)
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert answer.json()["code"] == "method_not_allowed"
    assert set(answer["Allow"].replace(" ", "").split(",")) == allowed


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", "", "nonsense"])
def test_a_body_is_json_whatever_it_is_called(call, settled, kind):
    """A wrong media type is no reason to read a body in another way."""
    body = '{"tenant": "aalto", "providers": []}'
    answer = call("POST", "/v1/connect-sessions", settled.aalto_key, body, CONTENT_TYPE=kind)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "providers" in answer.json()["detail"]


def test_the_docs_page_needs_no_key_no_script_and_nobody_elses_files(client):
    page = client.get("/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert "<script" not in text
    assert "http-equiv" not in text
    for name in ("createConnectSession", "getToken", "idempotency_key_reused"):
        assert f'id="{name}"' in text
        assert f'href="#{name}"' in text
    assert "Authorization: Bearer $API_KEY" in text
