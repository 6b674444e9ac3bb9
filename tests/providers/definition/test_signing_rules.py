from __future__ import annotations

import pytest
from msgspec.structs import replace

from providers.definition import EnteredField, RegistrationField, Signing, check_definition
from providers.errors import DefinitionError

KEYS = RegistrationField(name="own_url", label="Own URL", optional=True)


@pytest.fixture
def signing(definition, environment):
    bare = replace(environment, issuer="", authorization_endpoint="", token_endpoint="", revocation_endpoint=None)
    return replace(
        definition,
        environments={"production": bare},
        grant_types_supported=(),
        signing=Signing(methods=("GET",)),
        api_paths=("/*.nv", "/a/**"),
        base_url_parameter="own_url",
        entered_fields=(EnteredField(name="key", label="Key"),),
        registration_fields=(KEYS,),
    )


def test_a_provider_that_signs_needs_no_authorization_server(signing):
    check_definition(signing, file="plain.toml", allow_loopback=False)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"signing": None}, "grant_types_supported"),
        ({"grant_types_supported": ("authorization_code",)}, "environments.production.issuer"),
        ({"signing": Signing(methods=())}, "signing.methods"),
        ({"signing": Signing(methods=("get",))}, "signing.methods"),
        ({"api_paths": ("no-slash",)}, "api_paths"),
        ({"api_paths": ("/../x",)}, "api_paths"),
        ({"api_paths": ("/x?y",)}, "api_paths"),
        ({"signing": Signing(methods=("GET",), valid_seconds=61)}, "signing.valid_seconds"),
        ({"signing": Signing(methods=("GET",), valid_seconds=0)}, "signing.valid_seconds"),
        ({"base_url_parameter": "mood"}, "base_url_parameter"),
        ({"entered_fields": (EnteredField(name="Key", label="Key"),)}, "entered_fields.Key"),
        ({"entered_fields": (EnteredField(name="key", label=""),)}, "entered_fields.key.label"),
        ({"entered_fields": (EnteredField(name="key", label="a"),) * 2}, "entered_fields"),
        ({"entered_fields": (EnteredField(name="key", label="a", pattern="["),)}, "entered_fields.key.pattern"),
        (
            {"registration_fields": (KEYS, RegistrationField(name="a", label="a", choices=("x",), default="y"))},
            "registration_fields.a.default",
        ),
        (
            {"registration_fields": (KEYS, RegistrationField(name="client_id", label="a", default="y"))},
            "registration_fields.client_id",
        ),
    ],
)
def test_a_definition_that_breaks_a_rule_is_named_with_its_key(signing, change, key):
    with pytest.raises(DefinitionError) as caught:
        check_definition(replace(signing, **change), file="plain.toml", allow_loopback=False)
    assert caught.value.key == key


def test_an_authorization_server_without_signing_is_still_whole(definition, environment):
    for endpoint in ("issuer", "authorization_endpoint", "token_endpoint"):
        broken = replace(definition, environments={"production": replace(environment, **{endpoint: ""})})
        with pytest.raises(DefinitionError) as caught:
            check_definition(broken, file="plain.toml", allow_loopback=False)
        assert caught.value.key == f"environments.production.{endpoint}"
