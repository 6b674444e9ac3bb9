from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from providers.definition import (
    Evidence,
    ExternalAccountLookup,
    ProviderDefinition,
    Quirks,
    Traits,
    check_definition,
)
from providers.errors import DefinitionError

EVIDENCE = Evidence(source="https://docs.example", read_on=dt.date(2026, 1, 2))


def check(definition: ProviderDefinition, *, allow_loopback: bool = False) -> None:
    check_definition(definition, file="plain.toml", allow_loopback=allow_loopback)


def test_a_plain_definition_keeps_the_rules(definition):
    check(definition)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"id": "Not An Id"}, "id"),
        ({"environments": {}}, "environments"),
        ({"documentation": ""}, "documentation"),
        ({"documentation": "http://docs.example"}, "documentation"),
        ({"grant_types_supported": ("refresh_token",)}, "grant_types_supported"),
        ({"response_types_supported": ("token",)}, "response_types_supported"),
        ({"response_types_supported": ("code", "code id_token")}, "response_types_supported"),
        ({"response_modes_supported": ("fragment",)}, "response_modes_supported"),
        ({"code_challenge_methods_supported": ("plain",)}, "code_challenge_methods_supported"),
        ({"code_challenge_methods_supported": ("S256", "plain")}, "code_challenge_methods_supported"),
        ({"code_challenge_methods_supported": ()}, "code_challenge_methods_supported"),
        ({"token_endpoint_auth_methods_supported": ()}, "token_endpoint_auth_methods_supported"),
        ({"authorization_extra_parameters": {"state": "x"}}, "authorization_extra_parameters.state"),
        (
            {"quirks": Quirks(token_request_extra_parameters={"grant_type": "password"})},
            "quirks.token_request_extra_parameters.grant_type",
        ),
        ({"quirks": Quirks(token_type_aliases={"Odd": "Bearer"})}, "quirks.token_type_aliases.Odd"),
        ({"quirks": Quirks(token_type_aliases={"mac": "mac"})}, "quirks.token_type_aliases.mac"),
        ({"required_scopes": ("unheard-of",)}, "required_scopes"),
        ({"default_scopes": ("unheard-of",)}, "default_scopes"),
        ({"traits": Traits(refresh_token_rotation="always")}, "traits.refresh_token_rotation"),
        ({"traits": Traits(evidence={"mood": EVIDENCE})}, "traits.evidence.mood"),
        (
            {"external_account": ExternalAccountLookup(endpoint="{api_base_url}/{x}", subject_path="id")},
            "external_account.endpoint",
        ),
        (
            {"external_account": ExternalAccountLookup(endpoint="https://evil.example", subject_path="id")},
            "external_account.endpoint",
        ),
        (
            {"external_account": ExternalAccountLookup(endpoint="{userinfo_endpoint}", subject_path="sub")},
            "environments.production.userinfo_endpoint",
        ),
        (
            {"external_account": ExternalAccountLookup(endpoint="{api_base_url}/me", subject_path="")},
            "external_account.subject_path",
        ),
    ],
)
def test_a_definition_that_breaks_a_rule_is_named_with_file_and_key(definition, change, key):
    with pytest.raises(DefinitionError) as caught:
        check(replace(definition, **change))
    assert (caught.value.file, caught.value.key) == ("plain.toml", key)
    assert str(caught.value).startswith(f"plain.toml: {key}: ")


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example",
        "http://127.0.0.1:8000",
        "ftp://login.example",
        "//login.example",
        "https://",
        "https://user:pw@login.example",
        "https://login.example/#x",
        "https://login.example/a b",
        "https://login.example/\n",
        "https://[::1",
        "https://login.example:port",
    ],
)
@pytest.mark.parametrize("key", ["issuer", "authorization_endpoint", "token_endpoint", "api_base_url"])
def test_an_endpoint_is_an_https_url(definition, environment, url, key):
    with pytest.raises(DefinitionError) as caught:
        check(replace(definition, environments={"production": replace(environment, **{key: url})}))
    assert caught.value.key == f"environments.production.{key}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_http_is_for_loopback_and_only_where_that_is_allowed(definition, environment, host):
    local = replace(environment, token_endpoint=f"http://{host}:8100/token")
    check(replace(definition, environments={"local": local}), allow_loopback=True)
    with pytest.raises(DefinitionError):
        check(replace(definition, environments={"local": local}))
    elsewhere = replace(environment, token_endpoint="http://127.0.0.1.evil.example/")
    with pytest.raises(DefinitionError):
        check(replace(definition, environments={"local": elsewhere}), allow_loopback=True)
