"""Every code of docs/errors.md, provoked by a request: a code that nothing provokes fails here.

The document of each operation is held to it as well: an answer that it does not describe fails the test.
"""

import json
import re
from typing import Any

import pytest
from django.http import HttpResponse

from broker import errors
from broker.api.routes import api
from broker.services import gate_view
from tests import people
from tests.broker.api.conftest import Call
from tests.broker.api.provoking import PROVOKED, Scene
from tests.broker.api.test_callers import issuer
from tests.fakes.sandbox import SandboxProcess
from tests.house import papers

__all__ = ["issuer"]
DOCUMENT = json.loads(json.dumps(api.get_openapi_schema()))


@pytest.fixture
def scene(
    call: Call, settled: people.People, local_provider: SandboxProcess, connect: Any, request: pytest.FixtureRequest
) -> Scene:
    gate_view.view.forget()
    return Scene(call, settled, local_provider, connect, lambda: request.getfixturevalue("issuer"), settled.aalto_key)


def classes(kind: type[errors.BrokerError]) -> dict[str, type[errors.BrokerError]]:
    found = {kind.code: kind}
    for narrower in kind.__subclasses__():
        found |= classes(narrower)
    return found


CODES = classes(errors.BrokerError)


def test_every_code_that_is_documented_is_provoked():
    rows = papers.rows(papers.read("docs/errors.md"), "code", "status", "retryable", "action", "what happened")
    documented = {papers.bare(row["code"]) for row in rows}
    assert set(PROVOKED) == documented


@pytest.mark.parametrize("code", PROVOKED)
def test_it_is_told_as_it_is_documented(scene, code):
    answer = PROVOKED[code](scene)
    kind = CODES[code]
    assert answer.status_code == kind.status, answer.content
    if answer["Content-Type"].startswith("text/html"):
        assert f"<code>{code}</code>" in answer.content.decode()
        return
    told = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (told["code"], told["status"], told["retryable"]) == (code, kind.status, kind.retryable)
    assert (told["title"], told["action"]) == (kind.title, kind.action)
    assert told["type"] == f"urn:token-broker:problem:{code}"
    assert answer.get("Retry-After", "") == (
        "" if told["retry_after"] is None else str(-int(-told["retry_after"] // 1))
    )
    assert_described(answer, code)


def assert_described(answer: HttpResponse, code: str) -> None:
    """An operation's document names every code that it answers."""
    request = answer.wsgi_request
    for path, operations in DOCUMENT["paths"].items():
        operation = operations.get(request.method.lower())
        if operation and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.path):
            refused = operation["responses"][str(answer.status_code)]["content"]["application/problem+json"]
            assert code in refused["schema"]["properties"]["code"]["enum"]
            assert set(operation["responses"][str(answer.status_code)]["headers"]) >= set(answer.headers) & {
                "Retry-After",
                "WWW-Authenticate",
                "RateLimit",
            }
