from __future__ import annotations

from dataclasses import replace as with_

import pytest
from msgspec.structs import replace

from providers.definition import RegistrationField, ScopeDescription, Traits
from providers.errors import RequestRefused
from providers.protocol.registration_parameters import (
    check_registration,
    check_scopes,
    read_parameters,
    traits_with,
)


@pytest.fixture
def ours(definition):
    fields = (
        RegistrationField(name="client_id", label="Partner id"),
        RegistrationField(name="client_secret", label="Partner key"),
        RegistrationField(name="sender", label="Sender", pattern="[^&]{1,20}"),
        RegistrationField(name="language", label="Language", choices=("FI", "EN"), default="FI"),
        RegistrationField(name="own_url", label="Own URL", optional=True),
    )
    return replace(definition, registration_fields=fields)


def test_defaults_are_filled_in(ours):
    assert read_parameters(ours, {"sender": "us"}) == {"sender": "us", "language": "FI", "own_url": ""}


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({}, "parameters.sender", "missing"),
        ({"sender": "a&b"}, "parameters.sender", "pattern"),
        ({"sender": "a\nb"}, "parameters.sender", "pattern"),
        ({"sender": "a", "language": "NO"}, "parameters.language", "choice"),
        ({"sender": "a", "mood": "x"}, "parameters.mood", "unknown_field"),
        ({"sender": "a", "client_id": "x"}, "parameters.client_id", "unknown_field"),
        ({"sender": "a", "<b>": "x"}, "parameters.(unknown)", "unknown_field"),
    ],
)
def test_others_are_refused_by_name(ours, given, field, problem):
    with pytest.raises(RequestRefused) as caught:
        read_parameters(ours, given)
    assert (caught.value.field, caught.value.problem) == (field, problem)


def test_the_registrations_own_columns_are_looked_at_too(ours, registration):
    good = with_(registration, client_id="Xxx_123", parameters={"sender": "us"})
    check_registration(ours, good)
    check_registration(ours, with_(good, client_id="Acme Books"))
    for change, field in (
        ({"client_id": " a"}, "client_id"),
        ({"client_id": "ä"}, "client_id"),
        ({"client_secrets": ()}, "client_secret"),
    ):
        with pytest.raises(RequestRefused) as caught:
            check_registration(ours, with_(good, **change))
        assert caught.value.field == field


def test_values_for_the_authorization_request_stand_beside_the_fields(ours):
    assert "prompt" not in read_parameters(ours, {"sender": "us", "prompt": "login"})


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_whoever_authenticates_at_a_token_endpoint_needs_a_secret(definition, registration, method):
    bare = with_(registration, client_id="c", client_secrets=(), token_endpoint_auth_method=method)
    with pytest.raises(RequestRefused) as caught:
        check_registration(definition, bare)
    assert (caught.value.field, caught.value.problem) == ("client_secret", "missing")
    check_registration(definition, with_(bare, token_endpoint_auth_method="none"))


@pytest.mark.parametrize("scopes", [("read", "unheard"), ("rea*",), ("read write",), ("",)])
def test_scopes_that_the_provider_lacks_are_refused(definition, registration, scopes):
    with pytest.raises(RequestRefused) as caught:
        check_registration(definition, with_(registration, client_id="c", scopes=scopes))
    assert (caught.value.field, caught.value.problem) == ("scopes", "unknown_scope")


def test_a_scope_with_a_star_stands_for_all_that_begin_so(definition):
    open_ended = replace(definition, scopes_supported=(ScopeDescription(name="erp:*", description="Use it"),))
    check_scopes(open_ended, ("erp:read", "erp:"), field="scope")
    for odd in ("crm:read", "erp:a b", 'erp:"', "erp:" + "a" * 200):
        with pytest.raises(RequestRefused) as caught:
            check_scopes(open_ended, (odd,), field="scope")
        assert caught.value.field == "scope"


def test_a_field_named_like_a_trait_is_that_trait(definition):
    usual = replace(definition, traits=Traits(grace_seconds=5))
    assert traits_with(usual, {"grace_seconds": "", "other": "x"}) is usual.traits
    changed = traits_with(usual, {"grace_seconds": "30", "refresh_token_rotation": "always"})
    assert (changed.grace_seconds, changed.refresh_token_rotation) == (30, "always")
    with pytest.raises(RequestRefused) as caught:
        traits_with(usual, {"grace_seconds": "soon"})
    assert caught.value.field == "parameters.grace_seconds"


def test_traits_that_cannot_be_together_are_not_registered(definition, registration):
    fields = tuple(
        RegistrationField(name=name, label=name, optional=True)
        for name in ("refresh_token_idle_days", "refresh_token_lifetime_days")
    )
    ours = replace(definition, registration_fields=fields)
    good = with_(registration, parameters={"refresh_token_idle_days": "30", "refresh_token_lifetime_days": "365"})
    check_registration(ours, good)
    with pytest.raises(RequestRefused) as caught:
        check_registration(ours, with_(good, parameters={**good.parameters, "refresh_token_idle_days": "366"}))
    assert caught.value.field == "parameters.refresh_token_idle_days"
