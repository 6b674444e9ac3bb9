"""Forms out of an HTML page, as far as a person without JavaScript would use them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

TEXT_LIMIT = 300


@dataclass
class Form:
    """One form: where it goes, what it sends untouched, what its buttons add, what can be chosen, what is marked."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    marked: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag in ("style", "script", "head"):
            self._silent += 1
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and tag in ("input", "button"):
            _add(self.forms[-1], tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "head"):
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)


def _add(form: Form, tag: str, given: dict[str, str]) -> None:
    name, value = given.get("name", ""), given.get("value", "")
    kind = given.get("type", "submit" if tag == "button" else "text")
    if given.get("aria-invalid") == "true":
        form.marked.append(name)
    if kind == "radio":
        form.choices.setdefault(name, []).append(value)
    if kind in ("submit", "image"):
        form.buttons.append((name, value))
    elif name and kind != "button" and (kind not in ("radio", "checkbox") or "checked" in given):
        form.fields[name] = value


def read(html: str) -> tuple[list[Form], str]:
    """Return the forms of a page in their order, and its text on one line."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms, " ".join(" ".join(reader.text).split())
