"""A connection's timeline stays quick, however many of its requests were signed."""

import uuid
from typing import Any

import pytest
from django.db import connection as database

from tenants.models import AuditEvent
from tenants.querysets import reports

pytestmark = pytest.mark.django_db(transaction=True)
BUSY = uuid.UUID(int=7)


@pytest.fixture(autouse=True)
def busy():
    """Ten things that happened, and twenty thousand requests that were signed since."""
    with database.cursor() as cursor:
        for count, action in ((10, "credential.renewed"), (20_000, "request.signed")):
            cursor.execute(
                "INSERT INTO tenants_auditevent (connection_id, at, actor_kind, actor, action, detail) "
                "SELECT %s, now(), 'system', '', %s, '{}' FROM generate_series(1, %s)",
                [BUSY, action, count],
            )
        cursor.execute("ANALYZE tenants_auditevent")


def plan(sql: str, values: Any) -> str:
    with database.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", values)
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize("left_out", [("staff.viewed", "request.signed"), ("request.signed",)])
def test_a_timeline_reads_the_index_that_leaves_out_what_was_signed(left_out):
    rows = AuditEvent.objects.filter(connection_id=BUSY).exclude(action__in=left_out).order_by("-id")[:50]
    assert "audit_of_timeline" in plan(*rows.query.sql_with_params())


def test_so_does_the_look_for_a_report_of_the_last_minute():
    said = {"id": BUSY, "action": "feedback.reported", "detail": "{}"}
    assert "audit_of_timeline" in plan(reports._SAID, said)
