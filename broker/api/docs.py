"""The API's documentation as a page, made from the OpenAPI document: without scripts, and from our own files only."""

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from broker.api.describing import TAGS
from broker.api.document import METHODS
from broker.api.reading import Route, route
from broker.api.routes import api


def page(request: HttpRequest) -> HttpResponse:
    """GET /docs"""
    return render(request, "api/docs.html", _shown())


@cache
def _shown() -> dict[str, Any]:
    document = api.get_openapi_schema()
    found = [
        route(document, method, path, operations[method])
        for path, operations in document["paths"].items()
        for method in METHODS
        if method in operations
    ]
    chapters = [(name, description, [each for each in found if each.tag == name]) for name, description in TAGS.items()]
    return {"info": document["info"], "chapters": [each for each in chapters if each[2]], "refusals": _refusals(found)}


def _refusals(routes: list[Route]) -> list[dict[str, Any]]:
    """Every refusal that a route has, once, by status and code."""
    every = {
        problem["code"]: {**problem, "shown": json.dumps(problem, indent=2)}
        for each in routes
        for problem in each.refusals
    }
    return sorted(every.values(), key=lambda problem: (problem["status"], problem["code"]))
