"""register_client: what a provider needs is given, and what it does not have is refused by name."""

import pytest

from tenants.models import AuditEvent, ClientRegistration
from tests import people

pytestmark = pytest.mark.django_db(transaction=True)
REGISTER = ("register_client", people.PROVIDER, "--environment", "production", "--client-id", "c", "--json")
STDIN = ("--client-secret-file", "-")
NETVISOR = ("register_client", "netvisor", "--environment", "test", "--client-id", "Ptn_1", "--json")
FIVALDI = ("register_client", "fivaldi", "--environment", "production", "--client-id", "p", "--json", *STDIN)
REFUSALS = [
    (REGISTER, "client_secret: the provider's secret for this registration (invalid_request)"),
    ((*REGISTER, *STDIN, "--parameter", "acr"), "--parameter takes NAME=VALUE"),
    ((*REGISTER, *STDIN, "--parameter", "acr_values=x", "--parameter", "acr_values=y"), "--parameter acr_values is"),
    ((*REGISTER, *STDIN, "--parameter", "moon=full"), "parameters.moon: only "),
    ((*NETVISOR, *STDIN), "parameters.sender: a value for Sender (invalid_request)"),
    ((*NETVISOR, *STDIN, "--parameter", "sender=a", "--parameter", "language=XX"), "parameters.language: one of FI"),
    ((*NETVISOR, *STDIN, "--parameter", "sender=a", "--scope", "all"), "unknown scope 'all'; the provider has none"),
    ((*FIVALDI, "--parameter", "reach=partner"), "parameters.reach: partner is only for a registration that"),
    ((*FIVALDI, "--parameter", "base_url=http://evil.example"), "parameters.base_url: "),
    ((*REGISTER, *STDIN, "--secret-expires-at", "soon"), "'soon' is not a day like"),
    ((*REGISTER, *STDIN, "--secret-expires-at", "2020-01-31"), "2020-01-31 has passed"),
]


def test_register_a_provider_without_browser(manage):
    made = manage(*NETVISOR, *STDIN, "--parameter", "sender=Aalto=x", stdin="a secret").json
    row = ClientRegistration.objects.get()
    assert made == {
        "id": str(row.id),
        "provider": "netvisor",
        "environment": "test",
        "redirect_key": row.redirect_key,
    }
    assert row.parameters == {"sender": "Aalto=x"}


def test_what_opens_every_company_belongs_to_one_tenant(manage):
    manage("create_tenant", "acme", "--name", "Acme Oy")
    manage(*FIVALDI, "--tenant", "acme", "--parameter", "reach=partner", stdin="a secret")
    assert ClientRegistration.objects.get().parameters == {"reach": "partner"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2090-03-31", "2090-03-31 00:00:00+00:00"),
        ("2090-03-31T12:00:00Z", "2090-03-31 12:00:00+00:00"),
        ("2090-03-31T12:00:00+02:00", "2090-03-31 10:00:00+00:00"),
    ],
)
def test_a_secret_s_end_is_kept_until_the_next_secret(manage, given, kept):
    manage(*REGISTER, *STDIN, "--redirect-key", "chosen", "--secret-expires-at", given, stdin="a secret")
    assert str(ClientRegistration.objects.get().secret_expires_at) == kept
    manage("replace_secret", "chosen", *STDIN, stdin="another")
    assert ClientRegistration.objects.get().secret_expires_at is None
    manage("replace_secret", "chosen", *STDIN, "--secret-expires-at", given, stdin="a third")
    assert str(ClientRegistration.objects.get().secret_expires_at) == kept


@pytest.mark.parametrize(("arguments", "says"), REFUSALS)
def test_what_is_missing_or_unknown_is_named(manage, arguments, says):
    assert manage(*arguments, stdin="a secret").sentence.startswith(says)
    assert not ClientRegistration.objects.exists()
    assert not AuditEvent.objects.exists()
