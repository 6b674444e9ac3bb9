"""The redirection endpoint, however the provider's answer comes: in the address, or posted from its own site."""

from urllib.parse import parse_qsl
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from broker.connect import cookies, pages, redirects
from broker.connect.failures import friendly
from broker.errors import AuthorizationResponseRefused
from broker.services import authorize
from tenants.models import AuthorizationRequest

_MOST_PARAMETERS = 100
_LARGEST_BODY = 65_536
_FORM = "application/x-www-form-urlencoded"


@csrf_exempt  # What is posted comes from another site by design; state and browser secret stand in for the token.
@friendly("GET", "POST")
def callback(request: HttpRequest, redirect_key: str) -> HttpResponse:
    """The redirection endpoint. HEAD is refused as well: it would use up the state."""
    if request.method == "POST":
        return _keep(redirect_key, _posted(request))
    parameters = _parameters(request.META.get("QUERY_STRING", "").encode("latin-1", "replace"))
    return redirects.onward(authorize.complete(redirect_key, parameters, cookies.browser_secret(request)))


@csrf_exempt  # It takes GET only; without this a POST is 403, not 405.
@friendly("GET")
def posted(request: HttpRequest, redirect_key: str, flow_id: UUID) -> HttpResponse:
    """Where a posted answer goes on: only here does the browser show the cookie that the flow is bound to."""
    return redirects.onward(authorize.complete_posted(redirect_key, flow_id, cookies.browser_secret(request)))


def _keep(redirect_key: str, parameters: list[tuple[str, str]]) -> HttpResponse:
    # Browsers withhold a Lax cookie from a POST of another site, and send it with the GET that this leads to.
    flow_id = authorize.take_posted(redirect_key, parameters)
    response = redirects.SeeOther(reverse("connect-posted", args=[redirect_key, flow_id]))
    flow = AuthorizationRequest.objects.select_related("session").get(pk=flow_id)
    return pages.let_opener_see(pages.harden(response), flow.session)


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    length = request.META.get("CONTENT_LENGTH") or ""
    if request.content_type != _FORM or not length.isdecimal() or int(length) > _LARGEST_BODY:
        raise AuthorizationResponseRefused("the answer is not a small form")
    return _parameters(request.read(_LARGEST_BODY))


def _parameters(encoded: bytes) -> list[tuple[str, str]]:
    """Return every parameter in its order, repeated ones too: a dictionary would hide them."""
    try:
        text = encoded.decode("utf-8", "replace")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise AuthorizationResponseRefused("the answer has too many parameters") from None
