"""What traits may not say: nothing without evidence, nothing impossible, nothing at odds with itself."""

from __future__ import annotations

from collections.abc import Iterator

from providers.definition.values import ProviderDefinition, Traits

Complaint = tuple[str, str]
_DAY_SECONDS = 86400
_NOT_NEGATIVE = ("grace_seconds", "minimum_renewal_interval_seconds")
_AT_LEAST_ONE = (
    "refresh_token_lifetime_days",
    "refresh_token_idle_days",
    "early_renewal_refused_seconds",
    "access_token_lifetime_default_seconds",
    "access_token_lifetime_maximum_seconds",
    "rate_limit_requests_per_minute",
)


def trait_complaints(definition: ProviderDefinition) -> Iterator[Complaint]:
    """Each rule that is broken: the key, and what is expected there."""
    for name, expected in (*_evidence(definition.traits), *impossible(definition.traits)):
        yield f"traits.{name}", expected


def impossible(traits: Traits) -> Iterator[Complaint]:
    """Each trait that cannot be, alone or beside the others, and what is expected of it."""
    for name in (*_NOT_NEGATIVE, *_AT_LEAST_ONE):
        value, least = getattr(traits, name), 0 if name in _NOT_NEGATIVE else 1
        if value is not None and value < least:
            yield name, f"at least {least}"
    yield from _refresh_token(traits)
    yield from _access_token(traits)


def _evidence(traits: Traits) -> Iterator[Complaint]:
    known = set(traits.__struct_fields__) - {"evidence"}
    for name in sorted(set(traits.evidence) - known):
        yield f"evidence.{name}", "the name of a trait"
    defaults = type(traits)()
    for name in sorted(known - set(traits.evidence)):
        if getattr(traits, name) != getattr(defaults, name):
            yield name, f"its source and date under traits.evidence.{name}"


def _refresh_token(traits: Traits) -> Iterator[Complaint]:
    idle, lifetime = traits.refresh_token_idle_days, traits.refresh_token_lifetime_days
    if traits.grace_seconds > 0 and traits.refresh_token_rotation == "none":
        yield "grace_seconds", "0, since no refresh token is ever replaced"
    if traits.rotation_restarts_lifetime and (lifetime is None or traits.refresh_token_rotation == "none"):
        yield "rotation_restarts_lifetime", "a refresh_token_lifetime_days, and a rotation that starts it anew"
    if idle is not None and lifetime is not None and idle > lifetime:
        yield "refresh_token_idle_days", "no more than refresh_token_lifetime_days"


def _access_token(traits: Traits) -> Iterator[Complaint]:
    default, maximum = traits.access_token_lifetime_default_seconds, traits.access_token_lifetime_maximum_seconds
    if default > maximum:
        yield "access_token_lifetime_default_seconds", "no more than access_token_lifetime_maximum_seconds"
    if traits.minimum_renewal_interval_seconds >= default:
        yield "minimum_renewal_interval_seconds", "less than an access token's life: else each ends before the next"
    refused, idle = traits.early_renewal_refused_seconds, traits.refresh_token_idle_days
    if refused is not None and traits.access_token_never_expires:
        yield "early_renewal_refused_seconds", "an access token that ends"
    if refused is not None and idle is not None and maximum - refused >= idle * _DAY_SECONDS:
        yield "early_renewal_refused_seconds", "a renewal that is accepted before the refresh token has lain idle"
