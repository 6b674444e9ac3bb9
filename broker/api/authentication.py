"""Who calls: an API key in the Authorization header of each request."""

from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest

from broker.api.hot import Environ, presented_by
from broker.errors import InvalidRequest
from broker.services import callers, policy
from broker.services.policy import Grant
from tenants.models import Operation


class ApiKeyAuth:
    """A ninja authenticator for one operation. Its result, a Grant, is `request.auth`."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.openapi_security_schema = {"type": "http", "scheme": "bearer", "bearerFormat": "brk_..."}

    def __call__(self, request: HttpRequest) -> Grant:
        grant = callers.authenticate(presented_by(request.META))
        policy.may(grant, self.operation.value)
        refuse_odd_query(request)
        refuse_chunked(request.META)
        return grant


def refuse_odd_query(request: HttpRequest) -> None:
    """Raises InvalidRequest for what no honest client sends and the database cannot hold.

    A repeated parameter means that two readers of one request may see two requests.
    """
    try:
        parameters = list(request.GET.lists())
    except TooManyFieldsSent:
        raise InvalidRequest("the query has too many parameters") from None
    for name, values in parameters:
        if len(values) > 1:
            raise InvalidRequest("a query parameter is repeated")
        if "\x00" in name or "\x00" in values[0]:
            raise InvalidRequest("a query parameter holds a NUL character")


def refuse_chunked(environ: Environ) -> None:
    """Raises InvalidRequest for a chunked body: WSGI gives it no length, so it would be read as empty."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise InvalidRequest("send the body with a Content-Length; a chunked one is not read")
