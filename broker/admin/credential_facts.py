"""What a connection keeps besides its tokens, told without a single value of it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html

from broker.admin import catalogue_facts, words
from broker.admin.catalogue_facts import Facts
from tenants.models import AuditEvent, Connection, Credential, MintedToken

_STORED = "credential.stored"
_SETS_SHOWN = 50
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class ScopeSet:
    """The cached token of one set of scopes, without the token."""

    scopes: str
    ends: object
    last_use: object


def entered(connection: Connection) -> Facts:
    """Return which values the customer typed in, and since when they are kept; empty where nothing is typed in."""
    known = catalogue_facts.definition(connection.provider_id)
    if known is None or not known.entered_fields:
        return []
    if not Credential.objects.filter(pk=connection.pk).exists():
        return [("Entered by the customer", "nothing is kept")]
    stored = AuditEvent.objects.filter(connection_id=connection.pk, action=_STORED).order_by("-id")
    return [
        ("Entered by the customer", f"{catalogue_facts.entered_labels(known)} (sealed; shown to nobody)"),
        ("Entered", words.moment(stored.values_list("at", flat=True).first())),
    ]


def last_refusal(connection: Connection) -> Facts:
    """Return the provider's last error, with the reference that its support asks for; empty if there was none."""
    events = AuditEvent.objects.filter(connection_id=connection.pk)
    refused = events.filter(Q(detail__has_key="error") | Q(detail__has_key="error_id")).order_by("-id")
    # Some are written with an empty error: then it was not the provider who said it.
    event = next((one for one in refused[:_LOOKED_AT] if one.detail.get("error") or one.detail.get("error_id")), None)
    if event is None:
        return []
    facts: Facts = [("Last error of the provider", format_html("{}, {}", _code(event), words.moment(event.at)))]
    reference = event.detail.get("error_id")
    if reference:
        told = words.with_small_print(str(reference), "The provider's support asks for it.")
        facts.append(("Its reference for that error", told))
    return facts


def _code(event: AuditEvent) -> str:
    return str(event.detail.get("error") or "without a code")


def scope_sets(connection: Connection) -> list[ScopeSet]:
    """Return the sets of scopes that services asked for besides the registration's own, the last used first."""
    # Named columns: the sealed one is never even read here.
    rows = MintedToken.objects.filter(connection_id=connection.pk, issued_at__isnull=False).order_by("-used_at")
    found = rows.values_list("scopes", "expires_at", "used_at")[:_SETS_SHOWN]
    return [
        ScopeSet(
            scopes=" ".join(scopes),
            ends=_ends(ends),
            last_use=words.moment(used),
        )
        for scopes, ends, used in found
    ]


def _ends(at: datetime | None) -> object:
    if at is None:
        return "never ends"
    return "ended" if at < timezone.now() else format_html("ends {}", words.moment(at))
