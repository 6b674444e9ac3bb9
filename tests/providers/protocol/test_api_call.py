from __future__ import annotations

import pytest
from msgspec.structs import replace

from providers.errors import RequestRefused, UnsupportedOperation
from providers.messages import EnteredCredential, OAuthCredential, Secret
from providers.protocol.api_call import build_headers

ENTERED = EnteredCredential(fields={"key": Secret("k-1")})


@pytest.fixture
def headers(definition, registration):
    def headers(credential, parameters=None, registration=registration, **changes):
        return build_headers(replace(definition, **changes), registration, parameters or {}, credential)

    return headers


def token(text: str = "at-1", **changes) -> OAuthCredential:
    return OAuthCredential(access_token=Secret(text), **changes)


def test_the_access_token_goes_where_the_provider_wants_it(headers):
    assert headers(token()) == {"Authorization": "Bearer at-1"}
    basic = headers(token(), api_authorization="basic", api_basic_user="0")
    assert basic == {"Authorization": "Basic MDphdC0x"}
    assert headers(token(), api_authorization="none", api_headers={"X-App": "a"}) == {"X-App": "a"}


def test_templates_know_what_was_entered_registered_and_granted(headers):
    templates = {
        "X-Key": "{key}",
        "X-App": "{client_id}",
        "X-Language": "{parameters.language}",
        "ipp-company-id": "{extras.company_id}",
        "X-None": "{extras.other}",
    }
    found = headers(token(entered=ENTERED, extras={"company_id": 7}), {"language": "FI"}, api_headers=templates)
    del found["Authorization"]
    assert found == {"X-Key": "k-1", "X-App": "client one", "X-Language": "FI", "ipp-company-id": "7"}


def test_static_headers_need_no_token(headers):
    assert headers(ENTERED, api_authorization="none", api_headers={"X-Key": "{key}"}) == {"X-Key": "k-1"}
    with pytest.raises(UnsupportedOperation):
        headers(ENTERED)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "ä", " a", "a ", "a\x00"])
def test_a_value_that_would_break_the_header_is_refused_by_name_and_not_repeated(headers, value):
    entered = EnteredCredential(fields={"key": Secret(value)})
    with pytest.raises(RequestRefused) as caught:
        headers(entered, api_authorization="none", api_headers={"X-Key": "{key}"})
    assert caught.value.field == "key"
    assert "Injected" not in str(caught.value)
    assert "ä" not in str(caught.value)
    with pytest.raises(RequestRefused) as caught:
        headers(token(value))
    assert caught.value.field == "access_token"
