"""The customer: a browser without a screen, and a person who knows a password, or a key."""

from collections.abc import Mapping
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx2

from embedded.demo.expectations import Unexpected, expect
from embedded.demo.forms import Form, read

# Our page, sign-in, choice of company, consent, the posted answer, our choice: more would be a walk in circles.
PAGES = 8
UNPROCESSABLE = 422


class Customer:
    """Keeps cookies and follows links from one connect link to the page that says what happened.

    Shape:  typed is what the person fills in or chooses, by the field's name, on whichever page it is asked for.
    """

    def __init__(self, typed: Mapping[str, str]) -> None:
        self.typed = dict(typed)
        # Redirects are followed by the client: a browser would not ask either.
        self._browser = httpx2.Client(follow_redirects=True, timeout=20, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._browser.close()

    def connect(self, link: str, *names: str) -> str:
        """Return the text of the last page.

        Raises: Unexpected when a page lacks one of the names, or a form leads nowhere.
        """
        page = self._browser.get(link)
        expect(page.status_code == 200, "the connect page", f"status {page.status_code}")
        form, text = _only_form(page)
        for name in names:
            expect(name in text, f"the connect page to name {name}", text[:300])
        for _ in range(PAGES):
            page = self._submit(page, form)
            if "/connect/result/" in page.url.path:
                expect(not page.url.query, "a result address without code and state", "a query")
                return read(page.text)[1]
            form, _ = _only_form(page)
        raise Unexpected("the result page", f"{page.url.path} after {PAGES} forms")

    def refused(self, link: str, wrong: Mapping[str, str]) -> list[str]:
        """Fill in the form with some wrong values, and return the fields that the page marks for it.

        Raises: Unexpected when they are accepted, or shown again where they are secret.
        """
        page = self._browser.get(link)
        form, _ = _only_form(page)
        again = self._send(page, form, {**self.typed, **wrong})
        expect(again.status_code == UNPROCESSABLE, "the form again", f"status {again.status_code}")
        return _only_form(again)[0].marked

    def _send(self, page: httpx2.Response, form: Form, known: Mapping[str, str]) -> httpx2.Response:
        pressed = dict(form.buttons[:1]) if form.buttons and form.buttons[0][0] else {}
        typed = {name: known.get(name, value) for name, value in form.fields.items()}
        chosen = {name: known[name] for name, values in form.choices.items() if known.get(name) in values}
        target = urljoin(str(page.url), form.action)
        return self._browser.request(form.method, target, data={**typed, **chosen, **pressed})

    def _submit(self, page: httpx2.Response, form: Form) -> httpx2.Response:
        answer = self._send(page, form, self.typed)
        path = urlsplit(urljoin(str(page.url), form.action)).path
        expect(
            answer.is_success,
            f"a page after the form {path}",
            f"{answer.status_code}: {read(answer.text)[1][:300]}",
        )
        return answer


def _only_form(page: httpx2.Response) -> tuple[Form, str]:
    forms, text = read(page.text)
    posting = [form for form in forms if form.method == "post"]
    if not posting:
        raise Unexpected(f"a form on {page.url.path}", text[:300])
    return posting[0], text
