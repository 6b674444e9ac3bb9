"""Note what callers report, but not every caller of a storm."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('feedback ' || %(id)s::text, 0))"
# Only among the last few: reports of the last minute are there, whatever else the years have left.
_SAID = """
    SELECT 1 FROM (
        SELECT at, action, detail FROM tenants_auditevent
        WHERE connection_id = %(id)s AND action <> 'request.signed' ORDER BY id DESC LIMIT 100
    ) recent
    WHERE recent.action = %(action)s AND recent.at > now() - interval '60 seconds'
      AND recent.detail @> %(detail)s::jsonb
"""


def said_lately(connection_id: UUID, action: str, detail: Mapping[str, Any]) -> bool:
    """Tell whether an event with all of this detail was recorded within the last minute.

    Effects: until the caller's transaction ends, others who ask about this connection wait.
    """
    values: dict[str, Any] = {"id": connection_id, "action": action, "detail": json.dumps(detail)}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, values)
        cursor.execute(_SAID, values)
        return cursor.fetchone() is not None
