"""The described API: its routers, and what becomes of every fault."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from broker.api import (
    batching,
    connect_sessions,
    connections,
    directory,
    events,
    forward_auth,
    handing_out,
    problems,
    webhooks,
)
from broker.api.authentication import ApiKeyAuth
from broker.api.describing import TAGS
from broker.api.document import completed
from broker.api.parsing import StrictParser
from broker.errors import BodyTooLarge, BrokerError, InvalidRequest
from broker.services import faults


class DescribedAPI(NinjaAPI):
    """The framework's API, with a document that is complete."""

    def get_openapi_schema(self, **named: Any) -> OpenAPISchema:
        """Return the OpenAPI document."""
        document = super().get_openapi_schema(**named)
        bound = [router.path_operations.values() for router in self._get_bound_routers()]
        operations = [operation for paths in bound for path in paths for operation in path.operations]
        needs = {
            str(operation.operation_id): auth.operation.value
            for operation in operations
            for auth in operation.auth_callbacks
            if isinstance(auth, ApiKeyAuth)
        }
        completed(document, needs)
        return document


api = DescribedAPI(
    title="Token broker",
    version="1",
    description="Connect an accounting system once, and always have a valid access token for it.",
    urls_namespace="api-v1",
    openapi_url="/openapi.json",
    docs_url=None,
    parser=StrictParser(),
    servers=[{"url": settings.PUBLIC_URL, "description": settings.BROKER_ENVIRONMENT}],
    openapi_extra={
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "externalDocs": {"url": f"{settings.PUBLIC_URL}/docs", "description": "The same as a page."},
    },
)
api.add_router("", connect_sessions.router)
api.add_router("", connections.router)
api.add_router("", directory.router)
api.add_router("", forward_auth.router)
api.add_router("", handing_out.router)
api.add_router("", batching.router)
api.add_router("", events.router)
api.add_router("", webhooks.router)


@api.exception_handler(BrokerError)
def _on_broker_error(_request: HttpRequest, error: Any) -> HttpResponse:
    return problems.response(error)


@api.exception_handler(ValidationError)
def _on_validation_error(_request: HttpRequest, error: Any) -> HttpResponse:
    # Only where and what is expected: never the value, which may be a secret put in the wrong place.
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"][1:] if part != "body") or "body"
    return problems.response(InvalidRequest(f"{place}: {first['msg']}"))


@api.exception_handler(HttpError)
def _on_unreadable_body(_request: HttpRequest, _error: Any) -> HttpResponse:
    # The framework says this, and nothing else, when `parsing` refuses a body.
    return problems.bad_request("the body is not well-formed JSON, or repeats a member")


@api.exception_handler(RequestDataTooBig)
def _on_body_too_big(_request: HttpRequest, _error: Any) -> HttpResponse:
    return problems.response(BodyTooLarge("at most 256 KiB"))


@api.exception_handler(Exception)
def _on_fault(_request: HttpRequest, error: Any) -> HttpResponse:
    return problems.response(faults.told_of(error))
