"""A form as a browser reads it."""

import re

from django.http import HttpResponse

INPUT = re.compile(r"<input ([^>]*)>")


def inputs(page: HttpResponse) -> dict[str, dict[str, str]]:
    """The attributes of each input that have a value, by the input's name."""
    found = [dict(re.findall(r'([\w-]+)="([^"]*)"', text)) for text in INPUT.findall(page.content.decode())]
    return {one["name"]: one for one in found}


def tag_of(page: HttpResponse, name: str) -> str:
    """All attributes of one input, as they stand in the page."""
    tags: list[str] = INPUT.findall(page.content.decode())
    return next(text for text in tags if f'name="{name}"' in text)
