"""Whatever a token endpoint answers, it is tokens or one of four errors, and never the customer's fault."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.definition import ProviderDefinition, Quirks
from providers.errors import ClientRejected, GrantRejected, ProviderUnavailable, ResponseMalformed
from providers.messages import HttpResponse, TokenResponse
from providers.protocol.token_endpoint import process_response

EXPECTED = (GrantRejected, ClientRejected, ProviderUnavailable, ResponseMalformed)
NAMES = [
    "access_token",
    "refresh_token",
    "token_type",
    "expires_in",
    "scope",
    "error",
    "error_description",
    "id_token",
]
CODES = [
    "invalid_grant",
    "invalid_client",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "odd",
    "",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from([*CODES, "Bearer", "3600"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=12), values, max_size=8)
nearly_good = objects.map(lambda more: {"access_token": "a", "token_type": "bearer", **more})
json_bodies = (objects | nearly_good | values).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    body = bytearray(draw(json_bodies))
    for _ in range(draw(st.integers(0, 4))):
        body[draw(st.integers(0, max(len(body) - 1, 0))) : 0] = draw(st.binary(max_size=4))
    return bytes(body)


bodies = json_bodies | damaged() | st.binary(max_size=200) | st.sampled_from([b"<html>", b"[" * 99999, b'{"a":' * 5000])
statuses = st.sampled_from(
    [200, 200, 200, 201, 204, 302, 400, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504]
) | st.integers(100, 599)
headers = st.dictionaries(st.sampled_from(["retry-after", "content-type"]), st.text(max_size=40), max_size=2)


def judge(definition: ProviderDefinition, response: HttpResponse) -> TokenResponse | Exception:
    try:
        return process_response(definition, response)
    except EXPECTED as error:
        return error


@settings(
    max_examples=600,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(form=st.booleans(), status=statuses, body=bodies, headers=headers)
def test_every_answer_is_judged(definition, form, status, body, headers):
    check(definition, form, HttpResponse(status=status, headers=headers, body=body))


GOOD = (
    b'{"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt-2", "scope": "a"}',
    b'{"error": "invalid_grant", "error_description": "revoked", "error_uri": null, "more": [{"a": [1.5e3]}]}',
    b"access_token=at-1&token_type=bearer&expires_in=5&error=",
)


@pytest.mark.parametrize("seed", range(5))
def test_every_damage_to_a_good_answer_is_judged(definition, seed):
    random = Random(seed)
    for _ in range(1000):
        body = bytearray(random.choice(GOOD))
        for _ in range(random.randrange(1, 6)):
            start = random.randrange(len(body) + 1)
            body[start : start + random.randrange(6)] = random.randbytes(random.randrange(4))
        status = random.choice((200, 200, 400, 401, 500, 503))
        check(definition, random.random() < 0.5, HttpResponse(status=status, body=bytes(body)))


def check(definition: ProviderDefinition, form: bool, response: HttpResponse) -> None:
    judged = replace(definition, quirks=Quirks(token_response_form_encoded=form))
    result = judge(judged, response)
    if isinstance(result, TokenResponse):
        assert 200 <= response.status < 300
        assert result.token_type == "Bearer"
        assert result.expires_in is not None
        assert 1 <= result.expires_in <= 86400
        assert json.dumps(dict(result.extras)).isascii()
    if isinstance(result, GrantRejected):
        assert b"invalid_grant" in response.body
        assert 400 <= response.status < 500
        assert response.status not in (408, 429)
    if isinstance(result, ProviderUnavailable) and result.retry_after is not None:
        assert 0 <= result.retry_after <= 86400
