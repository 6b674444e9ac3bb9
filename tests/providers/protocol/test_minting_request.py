from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_struct

from providers.definition import Minting, Quirks
from providers.errors import ClientRejected
from providers.messages import EnteredCredential, Secret
from providers.protocol.minting_request import build_minting_request

URL = "https://login.example/token"
MINTING = Minting(
    parameters={
        "grant_type": "client_credentials",
        "client_id": "{company}",
        "client_secret": "{key}",
        "vendor": "{client_id}:{client_secret}",
        "back": "{parameters.back}",
        "scope": "{scope}",
        "until": "{tomorrow}",
        "or": "{day_after_tomorrow}",
        "none": "{password}",
    }
)
ENTERED = EnteredCredential(fields={"company": Secret("c-1"), "key": Secret("canary-key")})
# Late in the west: the day is UTC's.
NOW = dt.datetime(2026, 12, 30, 22, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


@pytest.fixture
def build(definition, registration):
    def build(minting: Minting = MINTING, *, scopes=("a", "b"), registration=registration, **changes):
        return build_minting_request(
            replace_struct(definition, **changes),
            minting,
            registration,
            URL,
            parameters={"back": "https://b.example/cb"},
            entered=ENTERED,
            scopes=scopes,
            now=NOW,
        )

    return build


def test_every_template_is_filled_in_and_what_comes_out_empty_is_left_out(build):
    request = build()
    assert dict(request.fields) == {
        "grant_type": "client_credentials",
        "client_id": "c-1",
        "client_secret": "canary-key",
        "vendor": "client one::+%&é",
        "back": "https://b.example/cb",
        "scope": "a b",
        "until": "2027-01-01",
        "or": "2027-01-02",
    }
    assert (request.method, request.url, request.endpoint, request.encoding) == ("POST", URL, "token", "form")
    assert dict(request.headers) == {}


def test_nothing_secret_shows(build):
    for encoding in ("form", "json", "query"):
        text = repr(build(replace_struct(MINTING, encoding=encoding)))
        assert "canary" not in text
        assert ":+%&é" not in text


def test_scopes_are_joined_as_the_provider_wants(build):
    assert dict(build(quirks=Quirks(scope_separator=",")).fields)["scope"] == "a,b"
    assert "scope" not in dict(build(scopes=()).fields)


def test_the_registration_authenticates_itself_only_where_it_is_asked_to(build, registration):
    asked = Minting(parameters={"grant_type": "x"}, client_authentication=True, method="PUT")
    assert build(asked).headers["Authorization"].startswith("Basic ")
    posted = build(asked, registration=replace(registration, token_endpoint_auth_method="client_secret_post"))
    assert dict(posted.fields) == {"grant_type": "x", "client_id": "client one", "client_secret": ":+%&é"}
    assert posted.method == "PUT"
    with pytest.raises(ClientRejected):
        build(asked, registration=replace(registration, client_secrets=()))


def test_a_value_is_never_a_template(build):
    curly = Minting(parameters={"back": "{parameters.back}"})
    assert dict(build(curly, quirks=Quirks(token_request_extra_parameters={"x": "{key}"})).fields)["x"] == "{key}"
