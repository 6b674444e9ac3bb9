"""Audit events and counts of days that are over, and what the owner of a database can do to them."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from broker.services import audit_chain, audit_check
from tenants import audit
from tenants.models import AuditEvent, IssueCount
from tenants.querysets import audit as rows

TENANT = uuid.UUID(int=1)
NOON = timedelta(hours=12)
# Whatever time it is: within minutes of midnight yesterday is not closed yet.
NOW = datetime.combine(datetime.now(UTC), time(12), tzinfo=UTC)


def day_ago(days: int) -> date:
    return (NOW - timedelta(days=days)).date()


def execute(sql: str, *values: object) -> None:
    """As the owner of the database, whom no trigger holds."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)


def event(days: int, action: str = "x", **detail: object) -> int:
    """Write an event of so many days ago, at noon. Returns its id."""
    audit.record(action, audit.SYSTEM, tenant_id=TENANT, detail=detail)
    row = AuditEvent.objects.latest("id")
    execute("UPDATE tenants_auditevent SET at = %s WHERE id = %s", rows.start_of(day_ago(days)) + NOON, row.pk)
    return row.pk


def read(days: int, count: int = 3) -> IssueCount:
    at = rows.start_of(day_ago(days)) + NOON
    return IssueCount.objects.create(
        connection_id=uuid.uuid4(),
        tenant_id=TENANT,
        caller_id=uuid.UUID(int=9),
        key_id="k",
        source="10.0.0.7",
        version=1,
        fingerprint=b"f" * 16,
        hour=at,
        reads=count,
        first_at=at,
        last_at=at,
    )


@pytest.fixture
def log(transactional_db: None) -> None:
    """Events and reads of four days ago, none of three and two days ago, events of yesterday; all days closed."""
    for number in range(3):
        event(4, number=number)
    read(4)
    read(4)
    event(1, name="ä 'quoted' \"twice\"\nand a line more")
    event(1)
    assert audit_chain.close_days(NOW, seconds=60) == 4


def problems(**more: Any) -> list[str]:
    return audit_check.check(NOW, **more).problems
