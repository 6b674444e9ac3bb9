"""What holds for every file of the catalogue: its papers, its words for customers, its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from providers.definition import ProviderDefinition
from providers.protocol.entered import read_entered
from providers.registry import CATALOGUE, load_definitions

ALL = load_definitions()
PAGES = Path(__file__).parents[3] / "docs" / "providers"
# One page for a family.
PAGE_OF = {
    "maventa-operator": "maventa",
    **dict.fromkeys(
        ("visma-connect-service", "visma-net-erp", "visma-net-erp-service", "business-nxt", "business-nxt-service"),
        "visma-connect",
    ),
    **dict.fromkeys(("dinero", "yuki"), "visma-connect"),
}
EXPECTED = {
    "visma-eaccounting", "netvisor", "fivaldi", "visma-net", "visma-connect", "visma-connect-service", "visma-net-erp",
    "visma-net-erp-service", "business-nxt", "business-nxt-service", "dinero", "yuki", "maventa", "maventa-operator",
    "maventa-payslip", "e-conomic", "tripletex", "severa", "procountor",
}  # fmt: skip


def sentences(definition: ProviderDefinition) -> list[str]:
    """Everything that a customer may read."""
    fields = [line for field in definition.entered_fields for line in field.help]
    return [
        *definition.connect.needs,
        *definition.connect.after,
        *fields,
        *(known.text for known in definition.refusals if known.text),
    ]


def test_these_systems_and_no_other():
    assert set(ALL) == EXPECTED


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_tells_the_customer_what_is_needed_and_what_ends_it(provider_id):
    definition = ALL[provider_id]
    assert definition.connect.needs
    assert definition.connect.after
    for field in definition.entered_fields:
        assert field.help, field.name
    for sentence in sentences(definition):
        assert re.fullmatch(r"[^\s].*[^\s]\.", sentence), sentence
        assert "  " not in sentence


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_every_refusal_of_the_customers_says_what_to_do(provider_id):
    for known in ALL[provider_id].refusals:
        # Whose turn is not the customer's has nothing to tell the customer.
        assert bool(known.text) == (known.means not in ("client_rejected", "content")), known


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_an_example_passes_its_own_pattern(provider_id):
    for field in ALL[provider_id].entered_fields:
        if field.example and field.kind == "identifier":
            assert re.fullmatch(field.pattern, field.example)


@pytest.mark.parametrize("provider_id", sorted(each.id for each in ALL.values() if not each.grant_types_supported))
def test_staff_are_asked_for_the_registrations_own(provider_id):
    names = {field.name for field in ALL[provider_id].registration_fields}
    assert "client_id" in names


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_has_a_page_that_names_its_file(provider_id):
    page = (PAGES / f"{PAGE_OF.get(provider_id, provider_id)}.md").read_text(encoding="utf-8")
    assert f"providers/catalogue/{provider_id}.toml" in page
    assert "## Sources" in page


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_no_secret_and_no_session_stands_in_a_file(provider_id):
    text = (CATALOGUE / f"{provider_id}.toml").read_text(encoding="utf-8")
    assert not re.search(r"\b(demo|test)[-_ ]?(secret|password)\b", text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("provider_id", "typed"),
    [
        (
            "maventa",
            {
                "company_uuid": " 99445728-5FD3-428a–96e1-ca0cab692276 ",
                "user_api_key": "c35db559-dd4c-423d-9ca7-f334f94aa074\n",
            },
        ),
        ("visma-net-erp-service", {"tenant_id": "8bdf18fd-21cc-11e9-b307-0aa512338dd6"}),
        ("e-conomic", {"grant_token": "demo"}),
        ("tripletex", {"employee_token": "eyJ0b2tlbklkIjoxMjM0LCJ0b2tlbiI6ImFiYy0xMjMifQ=="}),
        ("severa", {"severa_client_id": "Acme_abc.apps", "severa_client_secret": "0f3a+/=="}),
        ("procountor", {"api_key": "YWJjMTIzLWRlZjQ1Ng=="}),
    ],
)
def test_takes_what_the_vendor_issues_and_the_way_people_paste(provider_id, typed):
    credential = read_entered(ALL[provider_id], typed)
    assert {name: secret.reveal().lower() for name, secret in credential.fields.items()} == {
        name: value.strip().replace("–", "-").lower() for name, value in typed.items()
    }
