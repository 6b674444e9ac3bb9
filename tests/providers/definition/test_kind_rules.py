from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from providers.definition import (
    ConnectHelp,
    EnteredField,
    ExternalAccountLookup,
    KnownRefusal,
    Minting,
    RegistrationField,
    Signing,
    check_definition,
)
from providers.errors import DefinitionError

COMPANY = EnteredField(name="company", label="Company")
KEY = EnteredField(name="key", label="Key", secret=True)
ME = ExternalAccountLookup(endpoint="{api_base_url}/me", subject_path="id")


@pytest.fixture
def minting(definition):
    return replace(
        definition,
        grant_types_supported=(),
        minting=Minting(
            parameters={"key": "{key}", "company": "{company}", "scope": "{scope}", "until": "{tomorrow}"},
            scopes_on_request=True,
        ),
        entered_fields=(COMPANY, KEY),
        registration_fields=(RegistrationField(name="back", label="Back"),),
        api_headers={"X-Back": "{parameters.back}", "X-Realm": "{extras.realm}"},
    )


@pytest.fixture
def static(definition, environment):
    bare = replace(environment, issuer="", authorization_endpoint="", token_endpoint="", revocation_endpoint=None)
    return replace(
        definition,
        environments={"production": bare},
        grant_types_supported=(),
        entered_fields=(COMPANY, KEY),
        api_authorization="none",
        api_headers={"X-Key": "{key}", "X-App": "{client_secret}", "Authorization": "Special {key}"},
    )


def check(definition) -> None:
    check_definition(definition, file="plain.toml", allow_loopback=False)


def test_each_kind_is_one(definition, minting, static):
    for each in (definition, minting, static):
        check(each)


def test_what_is_entered_may_be_nothing_at_all(minting):
    ours = Minting(parameters={"id": "{client_id}", "secret": "{client_secret}"})
    check(replace(minting, entered_fields=(), minting=ours))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"minting": None}, "grant_types_supported"),
        ({"grant_types_supported": ("authorization_code",)}, "entered_fields"),
        ({"grant_types_supported": ("authorization_code",), "entered_fields": ()}, "minting"),
        ({"signing": Signing(methods=("GET",))}, "minting"),
        ({"api_authorization": "none"}, "api_authorization"),
        ({"minting": Minting(parameters={})}, "minting.parameters"),
        ({"minting": Minting(parameters={"a": "{mood}"})}, "minting.parameters.a"),
        ({"minting": Minting(parameters={"a": "{parameters.mood}"})}, "minting.parameters.a"),
        ({"minting": Minting(parameters={"a": "{extras.realm}"})}, "minting.parameters.a"),
        ({"minting": Minting(parameters={"a": "{key"})}, "minting.parameters.a"),
        ({"minting": Minting(parameters={"a": "{company}"})}, "minting.parameters"),
        ({"minting": Minting(parameters={"a": "{key}"}, scopes_on_request=True)}, "minting.scopes_on_request"),
        ({"external_account": None}, "external_account"),
        ({"entered_fields": (COMPANY, KEY, EnteredField(name="scope", label="S"))}, "entered_fields.scope"),
        ({"entered_fields": (replace(COMPANY, way="a"), KEY)}, "entered_fields"),
        ({"api_headers": {"X-Key": "{tomorrow}"}}, "api_headers.X-Key"),
        ({"api_headers": {"X Key": "{key}"}}, "api_headers.X Key"),
        ({"api_headers": {"Host": "{key}"}}, "api_headers.Host"),
        ({"api_headers": {"Authorization": "{key}"}}, "api_headers.Authorization"),
        ({"api_headers": {"X-Key": "{key}", "x-key": "{key}"}}, "api_headers"),
        ({"api_basic_user": "0"}, "api_basic_user"),
        ({"api_authorization": "basic", "api_basic_user": "a:b"}, "api_basic_user"),
        ({"sunset_on": dt.date(2027, 1, 1)}, "sunset_note"),
        ({"connect": ConnectHelp(link="http://grant.example/{client_id}")}, "connect.link"),
        ({"connect": ConnectHelp(link="https://grant.example/{client_secret}")}, "connect.link"),
        ({"refusals": (KnownRefusal(means="content"),)}, "refusals[0]"),
        ({"refusals": (KnownRefusal(means="content", error="x", statuses=(7,)),)}, "refusals[0].statuses"),
        ({"refusals": (KnownRefusal(means="content", error="x", fields=("mood",)),)}, "refusals[0].fields"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_named_with_its_key(minting, change, key):
    with pytest.raises(DefinitionError) as caught:
        check(replace(minting, **change))
    assert caught.value.key == key


def test_minting_needs_a_token_endpoint(minting, environment):
    with pytest.raises(DefinitionError) as caught:
        check(replace(minting, environments={"production": replace(environment, token_endpoint="")}))
    assert caught.value.key == "environments.production.token_endpoint"


def test_without_a_token_only_a_call_can_verify(static):
    with pytest.raises(DefinitionError, match=r"external_account\.endpoint"):
        check(replace(static, external_account=ExternalAccountLookup(entered_subject="company")))


def test_a_refusal_may_name_whatever_somebody_filled_in(minting):
    fields = ("company", "key", "client_id", "client_secret", "parameters.back", "scope")
    check(replace(minting, refusals=(KnownRefusal(means="content", contains="x", fields=fields),)))


@pytest.mark.parametrize(
    "field",
    [
        RegistrationField(name="grace_seconds", label="Grace", default="soon"),
        RegistrationField(name="refresh_token_rotation", label="Mode", choices=("always", "never")),
    ],
)
def test_a_registration_field_named_like_a_trait_has_its_values(definition, field):
    with pytest.raises(DefinitionError, match=field.name):
        check(replace(definition, registration_fields=(field,)))
    rotation = RegistrationField(name="refresh_token_rotation", label="Mode", choices=("always", "none"))
    check(replace(definition, registration_fields=(rotation, replace(field, name="other"))))
