"""A customer in a browser without a screen: Django's client for our pages, real HTTP at the sandbox."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse
from django.test import Client

from embedded.demo.forms import Form, read
from tests.fakes.sandbox import plain_client, sign_in_and_consent


@dataclass
class Customer:
    """Keeps our cookies, and has to pass the CSRF check as a browser has."""

    browser: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def open(self, url: str, **headers: str) -> HttpResponse:
        parts = urlsplit(url)
        return self.browser.get(f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)

    def press(self, page: HttpResponse, **changed: str) -> HttpResponse:
        """Send the page's only form, untouched but for what is changed."""
        form = only_form(page)
        return self.browser.post(form.action, {**form.fields, **changed})

    def start(self, url: str) -> str:
        """Open the link and press the button; the address at the provider."""
        answer = self.press(self.open(url))
        assert answer.status_code == 303, answer.content
        return answer["Location"]

    def come_back(self, url: str, **at_the_sandbox: Any) -> HttpResponse:
        """Start, sign in, consent, follow the provider's redirect; the answer of our redirection endpoint."""
        return self.open(at_provider(self.start(url), **at_the_sandbox))

    def connect(self, url: str, **at_the_sandbox: Any) -> HttpResponse:
        """All the way to the result page."""
        return self.follow(self.come_back(url, **at_the_sandbox))

    def follow(self, redirect: HttpResponse) -> HttpResponse:
        assert redirect.status_code == 303, redirect.content
        return self.open(redirect["Location"])


def at_provider(url: str, **at_the_sandbox: Any) -> str:
    """Sign in and answer at the provider; the address that its redirect leads to."""
    with plain_client() as browser:
        return sign_in_and_consent(browser, url, **at_the_sandbox)


def forged(key: str, *parameters: tuple[str, str]) -> str:
    """A callback address that no provider made."""
    return f"/cb/{key}?{urlencode(parameters)}"


def text_of(page: HttpResponse) -> str:
    return read(page.content.decode())[1]


def only_form(page: HttpResponse) -> Form:
    forms, text = read(page.content.decode())
    assert len(forms) == 1, text
    return forms[0]
