"""The facts of one connection, as pairs of a name and what to show."""

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from broker.admin import catalogue_facts, credential_facts, gate_facts, words
from broker.admin.catalogue_facts import Facts
from broker.services.plain_words import FAILURE_WORDS
from tenants.models import Connection, Credential, RenewalSlot, State


def of(connection: Connection) -> Facts:
    """Return what is known of its account and its tokens. Shape: with tenant and registration selected."""
    return [
        *_account_facts(connection),
        *credential_facts.entered(connection),
        *_token_facts(connection),
        *credential_facts.last_refusal(connection),
    ]


def _account_facts(connection: Connection) -> Facts:
    registration = connection.registration
    incident = "none: the provider accepts it"
    if registration.incident_since:
        incident = f"{gate_facts.incident(registration)} since {words.exact(registration.incident_since)}"
    return [
        ("Account at the provider", connection.external_name or "not known"),
        ("Number of the account", connection.external_subject or "not known"),
        ("Label", connection.label or "none"),
        ("Tenant", _link("tenants_tenant_change", connection.tenant_id, f"{connection.tenant.name}")),
        ("Connection id", str(connection.pk)),
        ("Client registration", _link("tenants_clientregistration_change", registration.pk, str(registration))),
        ("Incident of the registration", incident),
        ("Connected", words.moment(connection.connected_at)),
        ("In this state", words.moment(connection.state_changed_at)),
    ]


def _token_facts(connection: Connection) -> Facts:
    # Named columns: the sealed ones are never even read here.
    held = Credential.objects.filter(pk=connection.pk).values("version", "issued_at", "expires_at").first()
    if held is None:
        return [("Tokens", "none are held")]
    if not catalogue_facts.hands_out_tokens(connection.provider_id):
        return [("Version of what is kept", held["version"])]
    slot = RenewalSlot.objects.filter(pk=connection.pk).first()
    return [
        ("Access token ends", words.moment(held["expires_at"]) if held["expires_at"] else "never"),
        ("Version of the tokens", held["version"]),
        ("Last renewal", words.moment(held["issued_at"])),
        ("Next renewal", _next_renewal(slot)),
        ("Last failure", _failure(slot)),
    ]


def _next_renewal(slot: RenewalSlot | None) -> object:
    if slot is None or slot.due_at is None:
        return "none is planned"
    if slot.lease_until and slot.lease_until > timezone.now():
        return "running right now"
    late = (timezone.now() - slot.due_at).total_seconds() > 60
    return format_html("{}{}", words.moment(slot.due_at), " (overdue)" if late else "")


def _failure(slot: RenewalSlot | None) -> object:
    if slot is None or not slot.failure_class:
        return "none since the last success"
    said = FAILURE_WORDS.get(slot.failure_class, slot.failure_class)
    return format_html("{}; {} in a row, the last {}", said, slot.attempts, words.moment(slot.failed_at))


def scopes(connection: Connection) -> list[dict[str, object]]:
    """Every right that was asked for or granted, with what it means and whether it is there."""
    asked, granted = set(connection.scopes_asked), set(connection.scopes_granted)
    definition = catalogue_facts.definition(connection.provider_id)
    return [
        {
            "name": name,
            "meaning": catalogue_facts.meaning(definition, name),
            "asked": name in asked,
            "granted": name in granted,
            "missing": name in asked - granted and connection.state != State.PENDING,
        }
        for name in dict.fromkeys([*connection.scopes_asked, *connection.scopes_granted])
    ]


def _link(view: str, pk: object, text: str) -> object:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{view}", args=[pk]), text)
