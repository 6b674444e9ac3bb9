"""The support desk: what staff see and may do. Services do the work; no secret is rendered to anybody."""

from broker.admin import (
    audit,
    callers,
    connections,
    forecast,
    issuers,
    orphans,
    registrations,
    sessions,
    tenants,
    users,
    webhooks,
)
from broker.admin.support_desk import desk

__all__ = [
    "audit",
    "callers",
    "connections",
    "desk",
    "forecast",
    "issuers",
    "orphans",
    "registrations",
    "sessions",
    "tenants",
    "users",
    "webhooks",
]
