from __future__ import annotations

import pytest
from msgspec.structs import replace

from providers.definition import CompanyChoice, EnteredField, ExternalAccountLookup, Minting, check_definition
from providers.errors import DefinitionError

CHOICE = CompanyChoice(endpoint="{api_base_url}/companies", id_path="id", name_path="name")


@pytest.fixture
def entered(definition):
    return replace(
        definition,
        grant_types_supported=(),
        minting=Minting(parameters={"key": "{key}", "for": "{company}"}),
        entered_fields=(
            EnteredField(name="company", label="Company"),
            EnteredField(name="key", label="Key", secret=True),
        ),
        external_account=ExternalAccountLookup(endpoint="{api_base_url}/of/{company}", entered_subject="company"),
    )


def check(definition) -> None:
    check_definition(definition, file="plain.toml", allow_loopback=False)


@pytest.mark.parametrize(
    "lookup",
    [
        {"endpoint": "{api_base_url}/me", "subject_path": "0.id", "body_ok": ("OK",), "method": "POST"},
        {"access_token_claim": "tenant_id"},
        {"entered_subject": "company"},
        {"entered_subject": "client_id"},
    ],
)
def test_there_are_four_ways_to_know_the_account(entered, lookup):
    check(replace(entered, external_account=ExternalAccountLookup(**lookup)))


@pytest.mark.parametrize(
    ("lookup", "key"),
    [
        ({"endpoint": "{api_base_url}/{key}", "subject_path": "id"}, "external_account.endpoint"),
        ({"endpoint": "{api_base_url}/{", "subject_path": "id"}, "external_account.endpoint"),
        ({"endpoint": "https://evil.example/{company}", "subject_path": "id"}, "external_account.endpoint"),
        (
            {"endpoint": "{api_base_url}/x", "subject_path": "id", "entered_subject": "company"},
            "external_account.subject_path",
        ),
        (
            {"endpoint": "{api_base_url}/x", "subject_path": "id", "access_token_claim": "t"},
            "external_account.access_token_claim",
        ),
        (
            {"endpoint": "{api_base_url}/x", "subject_path": "id", "state_endpoint": "https://evil.example/state"},
            "external_account.state_endpoint",
        ),
        ({"entered_subject": "company", "state_endpoint": "{api_base_url}/state"}, "external_account.endpoint"),
        ({"entered_subject": "nobody"}, "external_account.entered_subject"),
        ({}, "external_account"),
        ({"entered_subject": "company", "access_token_claim": "t"}, "external_account"),
        ({"entered_subject": "company", "name_path": "name"}, "external_account.endpoint"),
    ],
)
def test_an_account_that_nobody_could_tell_is_named(entered, lookup, key):
    with pytest.raises(DefinitionError) as caught:
        check(replace(entered, external_account=ExternalAccountLookup(**lookup)))
    assert caught.value.key == key


def test_who_signs_in_enters_nothing(definition):
    lookup = ExternalAccountLookup(endpoint="{api_base_url}/x", entered_subject="client_id")
    with pytest.raises(DefinitionError, match="entered_subject"):
        check(replace(definition, external_account=lookup))


def test_a_company_choice_is_for_those_who_sign_in(definition, entered):
    check(replace(definition, company_choice=CHOICE))
    with pytest.raises(DefinitionError, match="company_choice: "):
        check(replace(entered, company_choice=CHOICE))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"endpoint": "https://evil.example/companies"}, "company_choice.endpoint"),
        ({"endpoint": "{api_base_url}.evil.example/"}, "company_choice.endpoint"),
        ({"endpoint": "{api_base_url}/{client_secret}"}, "company_choice.endpoint"),
        ({"id_path": ""}, "company_choice.id_path"),
        ({"name_path": ""}, "company_choice.name_path"),
        ({"extra": "Company Id"}, "company_choice.extra"),
    ],
)
def test_a_company_choice_that_breaks_a_rule_is_named(definition, change, key):
    with pytest.raises(DefinitionError) as caught:
        check(replace(definition, company_choice=replace(CHOICE, **change)))
    assert caught.value.key == key
