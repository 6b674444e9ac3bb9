"""The described form of a batch."""

from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from broker import errors
from broker.api import batch, examples, problems, views
from broker.api.describing import TOKENS, described
from broker.api.schemas import Problem, StrictSchema, TokenOut, shown
from tenants.models import Operation

router = Router(tags=[TOKENS])
_ASKED: dict[str, Any] = {
    "requests": [
        {"connection": examples.CONNECTION_ID, "min_ttl": 120},
        {"tenant": examples.TENANT, "provider": examples.PROVIDER, "label": examples.LABEL},
    ]
}
_REFUSED = problems.members(examples.of_refusal(errors.ReauthorizationRequired))
_ANSWERED: dict[str, Any] = {
    "results": [
        {"status": 200, "connection": examples.CONNECTION_ID, "token": examples.TOKEN},
        {"status": 409, "connection": "5a0c7c7e-2f5e-4c55-9b8e-3c1b0c9a7f21", "problem": _REFUSED},
    ]
}


class BatchOne(StrictSchema):
    connection: str | None = Field(None, description="Its id; or else tenant and provider.")
    tenant: str | None = None
    provider: str | None = None
    label: str | None = Field(None, description="Which of several connections of the tenant at this provider.")
    min_ttl: Annotated[int, Field(ge=0, le=settings.TOKEN_MAX_MIN_TTL_SECONDS)] | None = None


class BatchIn(StrictSchema):
    model_config = shown(_ASKED, extra="forbid")

    requests: Annotated[list[BatchOne], Field(min_length=1, max_length=batch.MOST)]


class BatchVerdict(Schema):
    """`token`, or else `problem`."""

    status: int = Field(description="The status that the single route would have answered.")
    connection: UUID | None = Field(description="Null when nothing goes by that name.")
    token: TokenOut | None = None
    problem: Problem | None = None


class BatchOut(Schema):
    model_config = shown(_ANSWERED)

    results: list[BatchVerdict] = Field(description="One for each that was asked for, in that order.")


@router.post(
    "/tokens",
    response={200: BatchOut},
    operation_id="getTokens",
    summary="Many access tokens at once, a verdict for each",
    description="What has ended is renewed, a few at a time, for as long as the request may wait; what was not reached "
    "answers `renewal_in_progress`. Each token counts as one request of the caller's rate.",
    openapi_extra=described(errors.BodyTooLarge, waits=True)
    | {"security": [{"ApiKeyAuth": [Operation.TOKEN_READ.value]}]},
)
def get_tokens(request: HttpRequest, body: BatchIn) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return views.tokens(request)
