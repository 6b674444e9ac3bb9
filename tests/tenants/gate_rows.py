"""What the tests of gates share: one gate, what it is told, and time that has passed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from tenants.models import RegistrationGate
from tenants.querysets import gates, trials
from tests.tenants.rows import new_connection


def new_gate(**fields: Any) -> UUID:
    registration_id = new_connection().registration_id
    RegistrationGate.objects.create(registration_id=registration_id, **fields)
    return registration_id


def read(registration_id: UUID) -> gates.Gate:
    found = gates.one(registration_id)
    assert found is not None
    return found


def standing(registration_id: UUID) -> tuple[str, str]:
    gate = read(registration_id)
    return gate.state, gate.cause


def passed(registration_id: UUID, seconds: float) -> None:
    """Let the gate be as it will be after so many seconds."""
    back = timedelta(seconds=seconds)
    names = ("open_until", "changed_at", "doubts_at", "bucket_at", "window_at")
    RegistrationGate.objects.filter(pk=registration_id).update(**{name: F(name) - back for name in names})


def told(
    registration_id: UUID, *, sent: int = 0, failed: int = 0, granted: int = 0, chance: float = 0.5
) -> tuple[str, str]:
    change = trials.settle(registration_id, sent=sent, failed=failed, granted=granted, chance=chance)
    assert change is not None
    return change.state, change.cause


def take(registration_id: UUID, wanted: int = 200) -> int:
    return gates.take(registration_id, wanted=wanted, rate=None, burst=0)


def due(registration_id: UUID) -> None:
    RegistrationGate.objects.filter(pk=registration_id).update(open_until=Now() - timedelta(seconds=1))
