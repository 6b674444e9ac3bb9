"""Whether a refused credential ends its connection, where nothing can be renewed and a question is all there is.

Many providers sign requests with our key and the customer's together, and do not say whose was refused. So the answer
counts only while the registration is trusted, and while the credential of somebody else is accepted.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from broker.errors import BrokerError
from broker.services import gates, incidents, probing, states
from providers.errors import ClientRejected, DefinitionError, GrantRejected, ProviderError
from tenants.errors import TenantsError
from tenants.models import Connection, RenewalSlot
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)


def may_end(connection: Connection, claim: Claim, version: int) -> bool:
    """Tell whether the refusal that was just heard ends the connection; when not, it may be suspected.

    At once while hardly any others were refused lately, else when it is heard again half a minute later.
    Effects: at most one question, with another connection's credential; one of the registration's budget, if it ends.
    """
    if not gates.enough_trust(claim.registration_id) and not _heard_before(claim, version):
        return False
    return not _others_are_refused(connection) and gates.doubt(claim.registration_id, ends=True)


def suspect(claim: Claim, version: int) -> int | None:
    """Return the version to suspect after a refusal that ends nothing. Effects: spends one of the budget."""
    known = claim.suspect_version == version
    return version if known or gates.doubt(claim.registration_id) else None


def _heard_before(claim: Claim, version: int) -> bool:
    if claim.suspect_version != version:
        return False
    long_ago = Now() - timedelta(seconds=settings.RENEWAL_CONFIRM_SECONDS)
    return RenewalSlot.objects.filter(pk=claim.connection_id, failed_at__lte=long_ago).exists()


def _others_are_refused(connection: Connection) -> bool:
    """Ask with the credential of one other account; False when there is none, or when that tells nothing."""
    others = Connection.objects.filter(registration_id=connection.registration_id, state__in=states.LIVE)
    others = others.exclude(pk=connection.pk).exclude(credential=None)
    if connection.external_subject:
        # The same account connected twice shares its key, and so its fate.
        others = others.exclude(
            external_issuer=connection.external_issuer, external_subject=connection.external_subject
        )
    other = others.select_related("registration").order_by("?").first()
    if other is None or not probing.can_probe(other):
        return False
    try:
        probing.probe(other.pk)
    except (GrantRejected, ClientRejected):
        logger.error("others are refused as well", extra={"registration_id": connection.registration_id})
        return True
    except (ProviderError, DefinitionError, BrokerError, TenantsError):
        return False
    incidents.heal(other)
    return False
