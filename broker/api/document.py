"""The OpenAPI document, completed: what the framework cannot know, said in one place and not beside each route."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from broker.api import problems
from broker.api.describing import OF_A_BODY, OF_A_KEY, OF_EVERY_ROUTE, Refusal
from broker.api.examples import IN_PATHS, of_refusal
from broker.api.schemas import Problem

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
KEY, WORKLOAD = "ApiKey", "WorkloadIdentity"
_PROBLEM = "#/components/schemas/Problem"
_SECURITY = {
    KEY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "brk_<environment>_<key id>_<secret>_<checksum>",
        "description": "An API key of a caller, `Authorization: Bearer brk_...`.",
    },
    WORKLOAD: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A JWT of an issuer that the broker trusts: a Kubernetes cluster, a cloud, a SPIFFE domain.",
    },
}
_RATES = {
    "RateLimit-Policy": ("How many requests a caller has in a minute.", '"caller";q=6000;w=60'),
    "RateLimit": ("How many are left, and the seconds until there are more.", '"caller";r=5998;t=23'),
}
_AGAIN = {
    "Idempotency-Key": ("The key that came with the request.", '"8b1f0c7e-3d5c-4e0e-9d57-0b7d1f1a2c3d"'),
    "Idempotent-Replayed": ("`true`: this was answered before, and nothing was done again.", "true"),
}
_RETRY = {"Retry-After": ("Seconds until it is worth asking again.", "10")}
_CHALLENGE = {"WWW-Authenticate": ("What is wanted in Authorization.", "Bearer")}
_IN_PATHS = {
    "connection_id": "The connection's id.",
    "session_id": "The connect session's id.",
    "endpoint_id": "The webhook endpoint's id.",
    "delivery_id": "The delivery's id.",
    "tenant": "The tenant's slug.",
    "provider": "The provider's id.",
    "rest": "The path of the original request.",
}
_WAITING = ("Prefer", "X-Request-Deadline")
_PARAMETERS = {
    "Idempotency-Key": (
        "Repeat a request with the same key until an answer comes: it is done once. A new one for each new request.",
        {"type": "string", "minLength": 1, "maxLength": 257},
        "8b1f0c7e-3d5c-4e0e-9d57-0b7d1f1a2c3d",
    ),
    "On-Behalf-Of": (
        "The id of the caller's own user for whom it asks: written into the audit log, and used for nothing else.",
        {"type": "string", "pattern": "^[!-~]{1,64}$"},
        "user-4711",
    ),
    "Prefer": ("`wait=N`: how many seconds there are to wait for a renewal. RFC 7240.", {"type": "string"}, "wait=2"),
    "X-Request-Deadline": (
        "The instant until which an answer is of use, by RFC 3339: the broker waits no longer for a renewal.",
        {"type": "string", "format": "date-time"},
        "2026-03-02T09:15:00Z",
    ),
}


def completed(document: Json, needs: dict[str, str]) -> Json:
    """Complete and return a document as the framework made it. needs: operations of callers by operation id."""
    schemas = document["components"].setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["securitySchemes"] = _SECURITY
    for operation in operations(document):
        _complete(operation, needs.get(operation["operationId"], ""))
    for media in _bodies(document):
        _exemplify(media, schemas)
    return document


def operations(document: Json) -> Iterator[Json]:
    """Every operation, in the document's order."""
    return (path[method] for path in document["paths"].values() for method in METHODS if method in path)


def _complete(operation: Json, needed: str) -> None:
    refusals = [*OF_EVERY_ROUTE, *operation.pop("x-refusals", ())]
    waits, idempotent = operation.pop("x-waits", False), operation.pop("x-idempotent", False)
    refusals += [*(OF_A_BODY if "requestBody" in operation else ()), *(OF_A_KEY if idempotent else ())]
    roles = [needed] if needed else next(iter(operation["security"][0].values()))
    operation["security"] = [{KEY: roles}, {WORKLOAD: roles}]
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter |= {"example": IN_PATHS[parameter["name"]], "description": _IN_PATHS[parameter["name"]]}
    names = [*(_WAITING if waits else ()), *(("Idempotency-Key",) if idempotent else ()), "On-Behalf-Of"]
    operation["parameters"] += map(_parameter, names)
    answers = {int(status): one for status, one in operation["responses"].items() if int(status) < 400}
    for answer in answers.values():
        answer["headers"] = _headers({**_RATES, **(_AGAIN if idempotent else {})})
    by_status = {
        kind.status: [one for one in dict.fromkeys(refusals) if one.status == kind.status] for kind in refusals
    }
    answers |= {status: _refused(status, kinds) for status, kinds in by_status.items()}
    operation["responses"] = {str(status): answers[status] for status in sorted(answers)}


def _parameter(name: str) -> Json:
    description, schema, example = _PARAMETERS[name]
    return {
        "in": "header",
        "name": name,
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _headers(named: dict[str, tuple[str, str]]) -> Json:
    return {
        name: {"description": description, "schema": {"type": "string"}, "example": example}
        for name, (description, example) in named.items()
    }


def _refused(status: int, kinds: list[Refusal]) -> Json:
    codes = sorted(kind.code for kind in kinds)
    later = any(of_refusal(kind).retry_after is not None for kind in kinds)
    headers = {**(_RATES if status != 401 else _CHALLENGE), **(_RETRY if later else {})}
    schema = {"allOf": [{"$ref": _PROBLEM}], "properties": {"code": {"enum": codes}, "status": {"const": status}}}
    examples = {kind.code: {"summary": kind.title, "value": problems.members(of_refusal(kind))} for kind in kinds}
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": _headers(headers),
        "content": {problems.CONTENT_TYPE: {"schema": schema, "examples": examples}},
    }


def _bodies(document: Json) -> Iterator[Json]:
    """Every body that a request or a good answer has."""
    for operation in operations(document):
        described: list[Json] = [operation.get("requestBody", {}), *operation["responses"].values()]
        contents = [one.get("content", {}) for one in described]
        yield from (content["application/json"] for content in contents if "application/json" in content)


def _exemplify(media: Json, schemas: Json) -> None:
    known: Json = schemas.get(media["schema"].get("$ref", "").rpartition("/")[2]) or media["schema"]
    if "example" not in media and known.get("examples"):
        # In the order of the schema: the framework sorts examples by name.
        example = known["examples"][0]
        media["example"] = {name: example[name] for name in known["properties"] if name in example}
