"""Whether this process lives, and whether it can serve."""

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from broker.services import directory, keys
from tenants.errors import TenantsError


def healthz(_request: HttpRequest) -> HttpResponse:
    """GET /healthz: the process answers. Touches nothing else."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> HttpResponse:
    """GET /readyz: database, keys and catalogue are usable. The first call also pays for what is loaded lazily."""
    try:
        directory.registry()
        usable = not keys.unusable_keys()
    except (DatabaseError, TenantsError, ValueError):
        usable = False
    if not usable:
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ready"})
