"""The OpenAPI document: valid, complete, with examples that are true to their schemas, and ids that never change."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from ninja import Schema
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from broker.api import describing, document, schemas
from broker.api.routes import api
from broker.services.feedback import _ACTIONS
from tenants.models import Operation, State

DOCUMENT = json.loads(json.dumps(api.get_openapi_schema()))
OPERATIONS = {one["operationId"]: one for one in document.operations(DOCUMENT)}
each_operation = pytest.mark.parametrize("name", OPERATIONS)
# Clients are made from these: an operation may come, none may be renamed.
IDS = {
    "changeWebhookEndpoint",
    "createConnectSession",
    "createWebhookEndpoint",
    "deleteWebhookEndpoint",
    "disconnect",
    "forwardAuth",
    "forwardAuthByName",
    "forwardAuthByNameWithPath",
    "forwardAuthWithPath",
    "getConnectSession",
    "getConnection",
    "getHeaders",
    "getHeadersByName",
    "getToken",
    "getTokenByName",
    "getTokens",
    "getWebhookDelivery",
    "getWebhookEndpoint",
    "listConnections",
    "listEvents",
    "listProviders",
    "listTenants",
    "listWebhookDeliveries",
    "listWebhookEndpoints",
    "replayWebhookDelivery",
    "reportFailure",
    "rotateWebhookSecret",
    "testWebhookEndpoint",
}
SECRET = re.compile(r"brk_[a-z]+_[0-9A-Za-z]{12}_|eyJ[A-Za-z0-9_-]{8}|whsec_(?!EXAMPLE)[A-Za-z0-9+/]{20}|-----BEGIN")


def refers(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema on its own, what it refers to beside it."""
    return {**schema, "components": DOCUMENT["components"]}


def codes(operation: dict[str, Any], status: str) -> list[str]:
    refused = operation["responses"][status]["content"]["application/problem+json"]
    return list(refused["schema"]["properties"]["code"]["enum"])


def bodies() -> list[tuple[str, dict[str, Any]]]:
    """What each operation takes and gives, good answers and refusals."""
    return [
        (f"{name} {status}", media)
        for name, operation in OPERATIONS.items()
        for status, one in [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        for media in one.get("content", {}).values()
    ]


def test_it_is_an_openapi_document():
    assert DOCUMENT["openapi"] == "3.1.0"
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []
    assert list(OPENAPI_31_VALIDATOR.iter_errors({**DOCUMENT, "paths": {"no-slash": {}}})) != []


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_a_good_schema(name):
    assert jsonschema_rs.meta.is_valid(DOCUMENT["components"]["schemas"][name])


@pytest.mark.parametrize(("what", "media"), bodies(), ids=[what for what, _ in bodies()])
def test_every_body_has_an_example_that_fits_its_schema(what, media):
    shown = [media["example"]] if "example" in media else [one["value"] for one in media["examples"].values()]
    assert shown
    validator = jsonschema_rs.validator_for(refers(media["schema"]), validate_formats=True)
    for example in shown:
        validator.validate(example)


def test_an_example_that_does_not_fit_would_be_seen():
    _, media = next(each for each in bodies() if each[0] == "getToken 200")
    validator = jsonschema_rs.validator_for(refers(media["schema"]), validate_formats=True)
    for wrong in ({"version": "7"}, {"expires_at": "tomorrow"}, {"headers": None}):
        assert not validator.is_valid({**media["example"], **wrong})


def test_no_operation_is_renamed_or_gone():
    assert set(OPERATIONS) >= IDS
    assert set(OPERATIONS) - IDS == set(), "pin what is new"


@each_operation
def test_every_operation_says_what_it_is(name):
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert len(operation["description"]) > 20
    assert operation["description"] != operation["summary"]
    assert "Described here" not in operation["description"]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert not [member for member in operation if member.startswith("x-")]


@each_operation
def test_every_operation_says_who_may(name):
    ways = OPERATIONS[name]["security"]
    assert [list(way) for way in ways] == [["ApiKey"], ["WorkloadIdentity"]]
    assert {needed for way in ways for each in way.values() for needed in each} <= set(Operation.values)
    assert len(next(iter(ways[0].values()))) == 1


@each_operation
def test_every_operation_says_what_it_refuses(name):
    operation = OPERATIONS[name]
    assert codes(operation, "401") == ["unauthenticated"]
    assert {"forbidden", "source_not_allowed"} <= set(codes(operation, "403"))
    assert codes(operation, "429") == ["caller_throttled", "rate_limited"]
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} == set(operation["responses"]["429"]["headers"])
    for status in [status for status in operation["responses"] if int(status) >= 400]:
        refused = operation["responses"][status]["content"]["application/problem+json"]
        assert list(refused["examples"]) != []
        assert {one["value"]["status"] for one in refused["examples"].values()} == {int(status)}
        assert sorted(refused["examples"]) == codes(operation, status)


@each_operation
def test_every_parameter_is_described(name):
    bare = [
        each["name"] for each in OPERATIONS[name]["parameters"] if each["in"] != "path" and not each.get("description")
    ]
    assert bare == []


def test_what_creates_or_ends_takes_an_idempotency_key():
    taking = {
        name
        for name, operation in OPERATIONS.items()
        if "Idempotency-Key" in [each["name"] for each in operation["parameters"]]
    }
    assert {"createConnectSession", "disconnect"} <= taking
    for name in taking:
        assert "idempotency_key_reused" in codes(OPERATIONS[name], "422")
        assert "idempotent_request_at_work" in codes(OPERATIONS[name], "409")
        good = [one for status, one in OPERATIONS[name]["responses"].items() if int(status) < 300]
        assert [{"Idempotency-Key", "Idempotent-Replayed"} <= set(one["headers"]) for one in good] == [True]


def test_what_may_wait_takes_a_deadline():
    taking = {
        name
        for name, operation in OPERATIONS.items()
        if {"Prefer", "X-Request-Deadline"} <= {each["name"] for each in operation["parameters"]}
    }
    assert {"getToken", "getTokenByName", "getHeaders", "getHeadersByName", "reportFailure"} <= taking


def test_the_words_of_answers_are_those_of_the_code():
    members = DOCUMENT["components"]["schemas"]
    assert members["ConnectionOut"]["properties"]["state"]["enum"] == State.values
    assert set(members["FeedbackOut"]["properties"]["verdict"]["enum"]) == set(_ACTIONS)


def test_no_example_is_a_secret():
    assert not SECRET.search(json.dumps(DOCUMENT))


def test_servers_tags_and_more_are_there():
    assert DOCUMENT["servers"][0]["url"] == "http://127.0.0.1:8000"
    assert DOCUMENT["externalDocs"]["url"].endswith("/docs")
    assert [tag["name"] for tag in DOCUMENT["tags"]] == list(describing.TAGS)
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_every_schema_of_the_module_is_used():
    made = {
        name
        for name, each in vars(schemas).items()
        if isinstance(each, type) and issubclass(each, Schema) and each.__module__ == schemas.__name__
    }
    assert made - set(DOCUMENT["components"]["schemas"]) == {"StrictSchema"}


def test_it_is_served_without_a_key(client):
    answer = client.get("/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["paths"].keys() == DOCUMENT["paths"].keys()
