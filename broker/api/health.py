"""Whether this process lives, and whether it can serve."""

from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from broker.services import credentials, directory
from tenants.errors import TenantsError


def healthz(_request: HttpRequest) -> HttpResponse:
    """GET /healthz: the process answers. Touches nothing else."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> HttpResponse:
    """GET /readyz: database, keys and catalogue are usable. The first call also pays for what is loaded lazily."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        credentials.vault()
        directory.registry()
    except (DatabaseError, TenantsError, ValueError):
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ready"})
