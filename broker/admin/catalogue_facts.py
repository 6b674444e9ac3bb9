"""What the catalogue says of a provider, as staff read it; an id that the catalogue has lost says nothing."""

from collections.abc import Mapping

from django.utils.html import format_html_join

from broker.errors import ProviderNotAvailable
from broker.services import directory
from providers.definition import ProviderDefinition
from providers.interface import AUTHORIZES, HANDS_OUT_TOKENS

Facts = list[tuple[str, object]]


def definition(provider_id: str) -> ProviderDefinition | None:
    """Return the definition, or None when no catalogue file has this id any more."""
    try:
        return directory.provider(provider_id).definition
    except ProviderNotAvailable:
        return None


def hands_out_tokens(provider_id: str) -> bool:
    """Whether services get access tokens; else they get headers only. True where nothing is known."""
    return _can(provider_id, HANDS_OUT_TOKENS)


def has_sign_in(provider_id: str) -> bool:
    """Whether customers sign in at the provider, so that a redirect URI means something. True if not known."""
    return _can(provider_id, AUTHORIZES)


def _can(provider_id: str, capability: str) -> bool:
    try:
        return capability in directory.provider(provider_id).capabilities
    except ProviderNotAvailable:
        return True


def meaning(known: ProviderDefinition | None, scope: str) -> str:
    """Return what a scope lets us do, empty where the catalogue has no sentence for it."""
    described = known.scope_description(scope) if known else scope
    return "" if described == scope else described


def entered_labels(known: ProviderDefinition) -> str:
    """Return the labels of what a customer types in; of several ways, each with its own."""
    common = [one.label for one in known.entered_fields if not one.way]
    ways = dict.fromkeys(one.way for one in known.entered_fields if one.way)
    each = [" and ".join(one.label for one in known.entered_fields if one.way == way) for way in ways]
    return "; ".join([*common, *([", or ".join(each)] if each else [])])


def ending(provider_id: str) -> str:
    """Return when the provider's service is to end, and what the catalogue notes on it; empty if nothing is known."""
    known = definition(provider_id)
    if known is None or known.sunset_on is None:
        return ""
    return f"The end of {known.display_name} was announced for {known.sunset_on}. {known.sunset_note}".strip()


def ending_in_short(provider_id: str) -> str:
    """Return the announced date of the end, for a list; empty if there is none."""
    known = definition(provider_id)
    return f"end: {known.sunset_on}" if known and known.sunset_on else ""


def ending_providers() -> list[str]:
    """Return the ids of the providers whose end is announced."""
    return [each.id for each in directory.registry().definitions().values() if each.sunset_on is not None]


def parameters(provider_id: str, values: Mapping[str, str]) -> object:
    """Return a registration's parameters under the labels that the catalogue gives them."""
    known = definition(provider_id)
    labels = {one.name: one.label for one in known.registration_fields} if known else {}
    given = [(labels.get(name, name), value) for name, value in values.items()]
    defaults = [
        (one.label, f"{one.default} (by default)")
        for one in (known.registration_fields if known else ())
        if one.default and one.name not in values
    ]
    return format_html_join("", "<div>{}: <strong>{}</strong></div>", [*given, *defaults]) or "none"


def own_word(provider_id: str, field: str) -> str:
    """Return the provider's own word for `client_id` or `client_secret`; empty where it has none."""
    known = definition(provider_id)
    return next((one.label for one in known.registration_fields if one.name == field), "") if known else ""
