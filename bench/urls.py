"""The broker's addresses, and a view of the same stack that returns as many bytes and does nothing."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

_FILLER = b'{"access_token":"' + b"x" * 1000 + b'"}'


def constant(request: HttpRequest) -> HttpResponse:
    """The floor: same server, middleware and headers, no key, no query, no seal."""
    return HttpResponse(_FILLER, content_type="application/json", headers={"Cache-Control": "no-store"})


urlpatterns = [path("v1/floor", constant), path("", include("broker.urls"))]
