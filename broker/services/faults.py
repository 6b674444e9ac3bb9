"""What callers are told of a fault that nobody foresaw."""

import logging

from django.db import InterfaceError, OperationalError

from broker.errors import BrokerError, BrokerUnavailable, InternalError
from broker.services import decision_log

logger = logging.getLogger(__name__)
# Of the request that met it there is nothing to say: the next one may be served.
_AGAIN_SECONDS = 1


def told_of(error: Exception, **about: object) -> BrokerError:
    """Return the error that stands for it. Shape: about has fields of `broker.logs`. Effects: a log line."""
    if isinstance(error, OperationalError | InterfaceError):
        # It is away, restarts, or took too long: of no use to look for in our code.
        decision_log.of_the_database.note(error=type(error).__name__, **about)
        return BrokerUnavailable(retry_after=_AGAIN_SECONDS)
    logger.error("unhandled fault", exc_info=error, extra=about)
    return InternalError()
