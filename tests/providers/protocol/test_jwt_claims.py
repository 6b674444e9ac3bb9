from __future__ import annotations

import pytest

from providers.messages import Secret
from providers.protocol.jwt_claims import claims_of
from tests.providers.tokens import jwt


@pytest.mark.parametrize("claims", [{}, {"a": "b"}, {"tenant_id": "ä" * 3}, {"n": [1, {"x": None}]}])
def test_the_payload_whatever_its_padding(claims):
    assert claims_of(Secret(jwt(claims))) == claims


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b", "a.b.c.d.e", "a..c", "a.!!!.c", "a.bnVsbA.c", "a.eyJhIjoxLCJhIjoyfQ.c", f"a.{'x' * 40000}.c"],
    ids=lambda token: token[:20],
)
def test_anything_else_is_no_jwt(token):
    assert claims_of(Secret(token)) is None
