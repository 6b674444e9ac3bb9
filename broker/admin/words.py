"""Small pieces of pages: badges, moments, links."""

from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from broker.admin import catalogue_facts
from broker.services.plain_words import STATE_WORDS
from tenants.models import Connection

NOTHING = "–"


def badge(state: str) -> SafeString:
    """Return the state as a coloured label; the words carry the meaning, the colour only repeats it."""
    return label(state, STATE_WORDS.get(state, state))


def label(colour_of: str, text: str) -> SafeString:
    """Return any text in the colour of a state."""
    return format_html('<span class="badge badge-{}">{}</span>', colour_of, text)


def with_small_print(first: str, below: str) -> str | SafeString:
    """Return two lines of one cell."""
    return format_html('{}<div class="small-print">{}</div>', first, below) if below else first


def moment(at: datetime | None) -> str | SafeString:
    """Return how long ago or from now, with the exact time in UTC on hovering."""
    if at is None:
        return NOTHING
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact(at), distance(at))


def exact(at: datetime) -> str:
    return f"{at.astimezone(timezone.get_default_timezone()):%Y-%m-%d %H:%M:%S} UTC"


def distance(at: datetime) -> str:
    """Return "in 5 minutes" or "5 minutes ago"."""
    now = timezone.now()
    if abs((at - now).total_seconds()) < 60:
        return "just now" if at <= now else "within a minute"
    return f"in {timesince(now, at, depth=1)}" if at > now else f"{timesince(at, now, depth=1)} ago"


def provider_name(provider_id: str) -> str:
    """Return the provider's own name; its id when the catalogue has lost it."""
    known = catalogue_facts.definition(provider_id)
    return known.display_name if known else provider_id


def provider_with_its_end(provider_id: str) -> str | SafeString:
    """Return the provider's name, and below it the day on which it ends if one is announced."""
    return with_small_print(provider_name(provider_id), catalogue_facts.ending_in_short(provider_id))


def registration_link(registration_id: object, text: str) -> SafeString:
    """Return a link to a client registration's page."""
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:tenants_clientregistration_change", args=[registration_id]), text
    )


def day(at: datetime | None) -> str | SafeString:
    """Return the day, below it how far away that is, and the exact time in UTC on hovering."""
    if at is None:
        return NOTHING
    text = f"{at.astimezone(timezone.get_default_timezone()):%Y-%m-%d}"
    shown = format_html('<time class="day" datetime="{}" title="{}">{}</time>', at.isoformat(), exact(at), text)
    return with_small_print(shown, distance(at))


def connection_url(connection_id: object) -> str:
    return reverse("admin:tenants_connection_change", args=[connection_id])


def connection_link(connection_id: object, text: str = "") -> str | SafeString:
    """Return a link to a connection's page; a dash for none."""
    if connection_id is None:
        return NOTHING
    return format_html('<a href="{}">{}</a>', connection_url(connection_id), text or str(connection_id))


def name_of(connection: Connection) -> str:
    """Return what people call it: the account at the provider, else the label, else its id."""
    return connection.external_name or connection.label or str(connection.pk)
