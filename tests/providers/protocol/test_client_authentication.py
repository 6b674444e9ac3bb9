from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from urllib.parse import unquote_plus

import pytest
from msgspec.structs import replace as replace_struct

from providers.definition import Quirks
from providers.errors import ClientRejected
from providers.protocol.client_authentication import authenticate


def basic(headers: dict[str, str]) -> str:
    scheme, _, value = headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    return b64decode(value).decode("utf-8")


class TestBasic:
    def test_id_and_secret_are_form_encoded_before_base64(self, definition, registration):
        fields, headers = authenticate(definition, registration)
        assert fields == ()
        assert basic(headers) == "client+one:%3A%2B%25%26%C3%A9"
        assert [unquote_plus(part) for part in basic(headers).split(":")] == ["client one", ":+%&é"]

    def test_the_encoding_can_be_left_out(self, definition, registration):
        quirky = replace_struct(definition, quirks=Quirks(basic_auth_unencoded=True))
        assert basic(authenticate(quirky, registration)[1]) == "client one::+%&é"

    def test_the_client_id_can_be_repeated_in_the_body_but_never_the_secret(self, definition, registration):
        quirky = replace_struct(definition, quirks=Quirks(client_id_also_in_body=True))
        assert authenticate(quirky, registration)[0] == (("client_id", "client one"),)


def test_post_puts_both_into_the_body_and_nothing_into_headers(definition, registration):
    fields, headers = authenticate(definition, replace(registration, token_endpoint_auth_method="client_secret_post"))
    assert fields == (("client_id", "client one"), ("client_secret", ":+%&é"))
    assert headers == {}


def test_none_sends_the_id_alone(definition, registration):
    public = replace(registration, token_endpoint_auth_method="none")
    assert authenticate(definition, public) == ((("client_id", "client one"),), {})


@pytest.mark.parametrize("change", [{"token_endpoint_auth_method": "private_key_jwt"}, {"client_secrets": ()}])
def test_a_registration_that_cannot_authenticate_is_staffs_turn(definition, registration, change):
    with pytest.raises(ClientRejected) as caught:
        authenticate(definition, replace(registration, **change))
    assert caught.value.status is None
