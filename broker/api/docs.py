"""The API's documentation as a page, from the OpenAPI document; everything it loads is our own."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def page(request: HttpRequest) -> HttpResponse:
    """GET /docs"""
    return render(request, "api/docs.html")
