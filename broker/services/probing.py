"""Ask a provider's API whether a stored credential is still accepted: one request, nothing used up."""

import logging
from uuid import UUID

from broker.errors import BrokerError
from broker.services import client_secrets, credentials, directory, states
from providers.errors import DefinitionError, ProviderError
from providers.interface import PROBES, Probes
from providers.protocol.nonces import new_nonce
from tenants.errors import TenantsError
from tenants.models import Connection, Reason, State
from tenants.querysets.rows import database_now

logger = logging.getLogger(__name__)


def can_probe(connection: Connection) -> bool:
    """Tell whether there is somebody to ask."""
    try:
        return PROBES in directory.provider(connection.provider_id).capabilities
    except BrokerError:
        return False


def probe(connection_id: UUID) -> None:
    """Return when the stored credential is accepted.

    Raises: the provider's errors, see `interface.Probes`; TenantsError, DefinitionError or BrokerError before anything
            is sent.
    Effects: at most one request.
    """
    rows = Connection.objects.select_related("registration__data_key", "credential__data_key")
    row = rows.get(pk=connection_id)
    provider = directory.provider(row.provider_id)
    if not isinstance(provider, Probes):
        raise provider.unsupported(PROBES)
    credential = credentials.open_current(row.credential, row.tenant_id)
    registration = client_secrets.opened(row.registration)
    provider.probe(registration, credential, now=database_now(), nonce=new_nonce())


def look_again(connection_id: UUID) -> None:
    """Heal a connection whose trouble was at the provider, if the provider says that it is over.

    Effects: at most one request; the state, when it is.
    """
    row = Connection.objects.get(pk=connection_id)
    if can_probe(row):
        try:
            probe(connection_id)
        except (ProviderError, DefinitionError, BrokerError, TenantsError) as error:
            logger.info("still in trouble", extra={"connection_id": connection_id, "failure": type(error).__name__})
            return
    heal(row)


def heal(connection: Connection) -> bool:
    """Move a connection back whose account the provider has verified by now. Effects: the state."""
    if connection.state != State.DEGRADED or connection.reason != Reason.ACCOUNT_UNVERIFIED:
        return False
    return states.move(connection, State.CONNECTED, only_from=(State.DEGRADED,))
