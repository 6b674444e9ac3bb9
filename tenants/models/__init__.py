"""The rows. Each file holds what belongs together; `broker/services/` holds the verbs that cross them."""

from tenants.models.audit_event import AuditDay, AuditEvent, IssueCount
from tenants.models.authorization import AuthorizationRequest, ConnectSession
from tenants.models.caller import ApiKey, Caller, CallerMinute, Operation, TrustedIssuer
from tenants.models.client_registration import ClientRegistration
from tenants.models.connection import Connection, Reason, State
from tenants.models.credential import Credential, CredentialOrphan
from tenants.models.data_key import DataKey
from tenants.models.expiry_notice import ExpiryNotice
from tenants.models.idempotency import IdempotentRequest
from tenants.models.minted_token import MintedToken
from tenants.models.outbox import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.models.registration_gate import RegistrationGate
from tenants.models.renewal_slot import RenewalSlot
from tenants.models.tenant import Tenant

__all__ = [
    "ApiKey",
    "AuditDay",
    "AuditEvent",
    "AuthorizationRequest",
    "Caller",
    "CallerMinute",
    "ClientRegistration",
    "ConnectSession",
    "Connection",
    "Credential",
    "CredentialOrphan",
    "DataKey",
    "ExpiryNotice",
    "IdempotentRequest",
    "IssueCount",
    "MintedToken",
    "Operation",
    "OutboxEvent",
    "Reason",
    "RegistrationGate",
    "RenewalSlot",
    "State",
    "Tenant",
    "TrustedIssuer",
    "WebhookDelivery",
    "WebhookEndpoint",
]
