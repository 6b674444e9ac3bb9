"""How the whole broker stands, in one statement: what operators watch and are woken by."""

from typing import NamedTuple

from tenants.querysets.rows import rows

_ALL = """
    WITH slots AS (
        SELECT r.provider_id AS provider,
            count(*) FILTER (WHERE s.state = 'scheduled' AND s.due_at <= now() AND s.lease_owner = '') AS due,
            min(s.due_at) FILTER (WHERE s.state = 'scheduled' AND s.due_at <= now() AND s.lease_owner = '') AS oldest,
            count(*) FILTER (WHERE s.uncertain_at IS NOT NULL) AS doubtful,
            count(*) FILTER (WHERE s.lease_owner <> '' AND s.lease_until < now()) AS stuck
        FROM tenants_renewalslot s JOIN tenants_clientregistration r ON r.id = s.registration_id GROUP BY 1
    ), deliveries AS (
        SELECT count(*) AS waiting, min(due_at) AS oldest FROM tenants_webhookdelivery WHERE state = 'waiting'
    ), events AS (
        SELECT count(*) AS waiting, min(created_at) AS oldest FROM tenants_outboxevent WHERE position IS NULL
    )
    SELECT 'connections' AS name, ARRAY[provider_id, state, reason]::text[] AS labels, count(*)::float8 AS value
    FROM tenants_connection GROUP BY 2
    UNION ALL SELECT 'renewals_due', ARRAY[provider], due FROM slots
    UNION ALL SELECT 'renewal_lateness_seconds', ARRAY[provider],
        coalesce(extract(epoch FROM now() - oldest), 0)::float8 FROM slots
    UNION ALL SELECT 'renewals_in_doubt', ARRAY[provider], doubtful FROM slots
    UNION ALL SELECT 'leases_overdue', ARRAY[provider], stuck FROM slots
    UNION ALL SELECT 'registrations_held', ARRAY[r.provider_id, g.cause], count(*)
        FROM tenants_registrationgate g JOIN tenants_clientregistration r ON r.id = g.registration_id
        WHERE g.state <> 'closed' GROUP BY 2
    UNION ALL SELECT 'orphans', ARRAY[outcome], count(*)
        FROM tenants_credentialorphan WHERE outcome IN ('held', 'parked', 'revoke') GROUP BY 2
    UNION ALL SELECT 'events_unpublished', '{}', waiting FROM events
    UNION ALL SELECT 'event_lateness_seconds', '{}', coalesce(extract(epoch FROM now() - oldest), 0)::float8 FROM events
    UNION ALL SELECT 'webhook_deliveries_waiting', '{}', waiting FROM deliveries
    UNION ALL SELECT 'webhook_lateness_seconds', '{}',
        greatest(coalesce(extract(epoch FROM now() - oldest), 0), 0)::float8 FROM deliveries
    UNION ALL SELECT 'webhook_endpoints_disabled', ARRAY[disabled_because], count(*)
        FROM tenants_webhookendpoint WHERE disabled_at IS NOT NULL GROUP BY 2
    UNION ALL SELECT 'api_keys_ending', '{}', count(*)
        FROM tenants_apikey k JOIN tenants_caller c ON c.id = k.caller_id
        WHERE c.active AND k.issuer_id IS NULL AND k.revoked_at IS NULL
            AND k.expires_at BETWEEN now() AND now() + interval '14 days'
    UNION ALL SELECT 'audit_days_open', '{}',
        coalesce((now() AT TIME ZONE 'UTC')::date - 1 - max(day), 0)::float8 FROM tenants_auditday
"""


class Figure(NamedTuple):
    """One value. Shape: labels are those that services/metrics.py names, in its order."""

    name: str
    labels: list[str]
    value: float


def all_of_them() -> list[Figure]:
    """Return every figure. Effects: connections and slots are read whole, so ask every few seconds, not more often."""
    return [Figure(*row) for row in rows(_ALL, {})]
