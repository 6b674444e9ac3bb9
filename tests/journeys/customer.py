"""The customer: a browser without a screen, and the person before it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2

from embedded.demo.forms import Form, read
from tests.fakes.broker import Broker
from tests.fakes.sandbox import plain_client, sign_in_and_consent
from tests.journeys.service import Service

# From the authorization request to the address at the redirect URI, which is not followed.
SignIn = Callable[[httpx2.Client, str], str]


def at_sandbox(**person: Any) -> SignIn:
    """A person who signs in at the sandbox and consents."""
    return partial(sign_in_and_consent, **person)


def connect(broker: Broker, link: str, sign_in: SignIn | None = None) -> str:
    """Open a link, press the button, sign in and consent; return the text of the last page.

    Its address holds neither code nor state, and pressing "back" onto the callback would change nothing.
    """
    with plain_client(timeout=30) as browser:
        page = browser.get(link)
        assert page.status_code == 200, f"{page.status_code}: {page.text[-600:]}"
        started = browser.post(urljoin(link, _form(page).action), data=_form(page).fields)
        assert started.status_code == 303, f"{started.status_code}: {started.text[-600:]}"
        answer = (sign_in or at_sandbox())(browser, started.headers["Location"])
        broker.secrets |= {value for name, value in parse_qsl(urlsplit(answer).query) if name in ("code", "state")}
        assert answer.startswith(f"{broker.url}/cb/"), "the provider sent the browser somewhere else"
        landed = browser.get(answer, follow_redirects=True)
        assert landed.status_code == 200, f"{landed.status_code}: {landed.text[-600:]}"
        assert landed.url.path.startswith("/connect/result/"), landed.url.path
        assert not landed.url.query
        return read(landed.text)[1]


def _form(page: httpx2.Response) -> Form:
    posting = [form for form in read(page.text)[0] if form.method == "post"]
    assert len(posting) == 1, f"{len(posting)} forms to send on {page.url.path}"
    return posting[0]


def connect_new(broker: Broker, service: Service, **session: Any) -> str:
    """Return the id of a connection that a customer has just made."""
    made = service.connect_session(**session)
    connect(broker, made["url"])
    return str(service.session(made["id"])["connection"])


def connect_many(broker: Broker, service: Service, number: int) -> list[str]:
    """Return so many connections, each with a label and a grant of its own."""
    with ThreadPoolExecutor(max_workers=4) as customers:
        return list(customers.map(lambda one: connect_new(broker, service, label=f"company {one}"), range(number)))
