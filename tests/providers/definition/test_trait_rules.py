"""Traits are believed by the renewal engine: what cannot be must not get in."""

from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from providers.definition import Evidence, ProviderDefinition, Traits, check_definition
from providers.errors import DefinitionError

EVIDENCE = Evidence(source="https://docs.example", read_on=dt.date(2026, 1, 2))
DAY = 86400


def with_evidence(**traits: object) -> Traits:
    return Traits(**traits, evidence=dict.fromkeys(traits, EVIDENCE))  # type: ignore[arg-type]


def check(definition: ProviderDefinition, traits: Traits) -> None:
    check_definition(replace(definition, traits=traits), file="plain.toml", allow_loopback=False)


@pytest.mark.parametrize(
    ("traits", "key"),
    [
        ({"grace_seconds": -1}, "grace_seconds"),
        ({"minimum_renewal_interval_seconds": -1}, "minimum_renewal_interval_seconds"),
        ({"refresh_token_lifetime_days": 0}, "refresh_token_lifetime_days"),
        ({"refresh_token_idle_days": 0}, "refresh_token_idle_days"),
        ({"early_renewal_refused_seconds": 0}, "early_renewal_refused_seconds"),
        ({"access_token_lifetime_default_seconds": 0}, "access_token_lifetime_default_seconds"),
        ({"access_token_lifetime_maximum_seconds": -1}, "access_token_lifetime_maximum_seconds"),
        ({"rate_limit_requests_per_minute": 0}, "rate_limit_requests_per_minute"),
        ({"grace_seconds": 30, "refresh_token_rotation": "none"}, "grace_seconds"),
        ({"rotation_restarts_lifetime": True}, "rotation_restarts_lifetime"),
        (
            {
                "rotation_restarts_lifetime": True,
                "refresh_token_lifetime_days": 45,
                "refresh_token_rotation": "none",
            },
            "rotation_restarts_lifetime",
        ),
        ({"refresh_token_idle_days": 91, "refresh_token_lifetime_days": 90}, "refresh_token_idle_days"),
        ({"access_token_lifetime_default_seconds": 90000}, "access_token_lifetime_default_seconds"),
        ({"minimum_renewal_interval_seconds": 1800}, "minimum_renewal_interval_seconds"),
        (
            {"early_renewal_refused_seconds": 30, "access_token_never_expires": True},
            "early_renewal_refused_seconds",
        ),
        (
            {
                "early_renewal_refused_seconds": DAY,
                "access_token_lifetime_maximum_seconds": 31 * DAY,
                "refresh_token_idle_days": 30,
            },
            "early_renewal_refused_seconds",
        ),
    ],
)
def test_what_cannot_be_is_named(definition: ProviderDefinition, traits: dict[str, object], key: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check(definition, with_evidence(**traits))
    assert caught.value.key == f"traits.{key}"


@pytest.mark.parametrize(
    "traits",
    [
        {"grace_seconds": 30, "refresh_token_rotation": "always"},
        {"grace_seconds": 0, "refresh_token_rotation": "none"},
        {"refresh_token_idle_days": 90, "refresh_token_lifetime_days": 90},
        {
            "rotation_restarts_lifetime": True,
            "refresh_token_lifetime_days": 45,
            "refresh_token_rotation": "always",
        },
        {"minimum_renewal_interval_seconds": 570, "early_renewal_refused_seconds": 30},
        {"access_token_never_expires": True, "refresh_token_idle_days": 30},
    ],
)
def test_what_can_be_is_believed(definition: ProviderDefinition, traits: dict[str, object]) -> None:
    check(definition, with_evidence(**traits))


@pytest.mark.parametrize("name", sorted(set(Traits.__struct_fields__) - {"evidence"}))
def test_each_trait_needs_its_own_evidence(definition: ProviderDefinition, name: str) -> None:
    ordinary = {
        "refresh_token_rotation": "always",
        "refresh_token_lifetime_days": 45,
        "rotation_restarts_lifetime": True,
        "refresh_token_idle_days": 40,
        "grace_seconds": 10,
        "reuse_kills_family": True,
        "refresh_kills_access_token": True,
        "minimum_renewal_interval_seconds": 60,
        "early_renewal_refused_seconds": 6400,
        "access_token_lifetime_default_seconds": 3600,
        "access_token_lifetime_maximum_seconds": 7200,
        "access_token_never_expires": True,
        "rate_limit_requests_per_minute": 60,
    }
    if name != "access_token_never_expires":
        del ordinary["access_token_never_expires"]
    else:
        del ordinary["early_renewal_refused_seconds"]
    check(definition, with_evidence(**ordinary))
    lacking = {other: EVIDENCE for other in ordinary if other != name}
    with pytest.raises(DefinitionError) as caught:
        check(definition, Traits(**ordinary, evidence=lacking))  # type: ignore[arg-type]
    assert caught.value.key == f"traits.{name}"
