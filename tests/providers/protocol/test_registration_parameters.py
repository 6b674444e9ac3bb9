from __future__ import annotations

from dataclasses import replace as with_

import pytest
from msgspec.structs import replace

from providers.definition import RegistrationField
from providers.errors import RequestRefused
from providers.protocol.registration_parameters import check_registration, read_parameters


@pytest.fixture
def ours(definition):
    fields = (
        RegistrationField(name="client_id", label="Partner id"),
        RegistrationField(name="client_secret", label="Partner key"),
        RegistrationField(name="sender", label="Sender", pattern="[^&]{1,20}"),
        RegistrationField(name="language", label="Language", choices=("FI", "EN"), default="FI"),
        RegistrationField(name="own_url", label="Own URL", optional=True),
    )
    return replace(definition, registration_fields=fields)


def test_defaults_are_filled_in(ours):
    assert read_parameters(ours, {"sender": "us"}) == {"sender": "us", "language": "FI", "own_url": ""}


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({}, "parameters.sender", "missing"),
        ({"sender": "a&b"}, "parameters.sender", "pattern"),
        ({"sender": "a\nb"}, "parameters.sender", "pattern"),
        ({"sender": "a", "language": "NO"}, "parameters.language", "choice"),
        ({"sender": "a", "mood": "x"}, "parameters.mood", "unknown_field"),
        ({"sender": "a", "client_id": "x"}, "parameters.client_id", "unknown_field"),
        ({"sender": "a", "<b>": "x"}, "parameters.(unknown)", "unknown_field"),
    ],
)
def test_others_are_refused_by_name(ours, given, field, problem):
    with pytest.raises(RequestRefused) as caught:
        read_parameters(ours, given)
    assert (caught.value.field, caught.value.problem) == (field, problem)


def test_the_registrations_own_columns_are_looked_at_too(ours, registration):
    good = with_(registration, client_id="Xxx_123", parameters={"sender": "us"})
    check_registration(ours, good)
    for change, field in (({"client_id": "a b"}, "client_id"), ({"client_secrets": ()}, "client_secret")):
        with pytest.raises(RequestRefused) as caught:
            check_registration(ours, with_(good, **change))
        assert caught.value.field == field
