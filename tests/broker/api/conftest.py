"""An API client that sends keys as callers do."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

Call = Callable[..., HttpResponse]


@pytest.fixture
def call() -> Call:
    client = Client(enforce_csrf_checks=True)

    def send(method: str, path: str, key: str | None = None, body: Any = None, **headers: str) -> HttpResponse:
        extra = {"HTTP_AUTHORIZATION": f"Bearer {key}"} if key else {}
        data = body if isinstance(body, (str, bytes)) else json.dumps(body) if body is not None else ""
        answer = client.generic(method, path, data, content_type="application/json", **extra, **headers)
        assert answer["Cache-Control"] == "no-store", path
        return answer

    return send
