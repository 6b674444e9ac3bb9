"""One operation of the OpenAPI document, as people read it: its members in tables, its example as a command."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from broker.api.problems import CONTENT_TYPE

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A parameter, or a member of a body."""

    name: str
    place: str
    kind: str
    required: bool
    text: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A good answer. Shape: example is JSON, empty where there is no body."""

    status: str
    example: str
    members: list[Member]
    headers: list[Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An operation. Shape: refusals are problem documents."""

    id: str
    method: str
    path: str
    tag: str
    needs: str
    summary: str
    text: SafeString
    parameters: list[Member]
    body: list[Member]
    curl: str
    answers: list[Answer]
    refusals: list[Json]


def route(document: Json, method: str, path: str, operation: Json) -> Route:
    """Return what the page shows of an operation."""
    schemas = document["components"]["schemas"]
    answers, taken = operation["responses"], _media(operation.get("requestBody", {}))
    return Route(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        tag=next(iter(operation.get("tags", ())), ""),
        needs=next(iter(next(iter(operation["security"][0].values()))), ""),
        summary=operation["summary"],
        text=marked(operation.get("description", "")),
        parameters=[_parameter(each) for each in operation["parameters"]],
        body=list(_members(taken.get("schema", {}), schemas)),
        curl=_curl(method.upper(), path, operation["parameters"], taken),
        answers=[_answer(status, one, schemas) for status, one in answers.items() if int(status) < 400],
        refusals=[problem for status, one in answers.items() if int(status) >= 400 for problem in _problems(one)],
    )


def marked(text: str) -> SafeString:
    """Return text as HTML, with what stands in backticks as code."""
    parts = text.split("`")
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in enumerate(parts))
    )


def _media(described: Json) -> Json:
    media: Json = described.get("content", {}).get("application/json", {})
    return media


def _problems(answer: Json) -> Iterator[Json]:
    return (example["value"] for example in answer["content"][CONTENT_TYPE]["examples"].values())


def _parameter(each: Json) -> Member:
    return Member(
        name=each["name"],
        place=each["in"],
        # Null in a query is not to send it.
        kind=kind_of(each["schema"]).removesuffix(" or null"),
        required=each["required"],
        text=marked(each.get("description", "")),
    )


def _answer(status: str, described: Json, schemas: Json) -> Answer:
    media = _media(described)
    headers = [
        Member(name=name, place="header", kind="text", required=False, text=marked(one["description"]))
        for name, one in described.get("headers", {}).items()
    ]
    example = json.dumps(media["example"], indent=2, ensure_ascii=False) if "example" in media else ""
    return Answer(
        status=status, example=example, members=list(_members(media.get("schema", {}), schemas)), headers=headers
    )


def _members(schema: Json, schemas: Json) -> Iterator[Member]:
    known = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    for name, one in known.get("properties", {}).items():
        text = marked(one.get("description", ""))
        yield Member(name=name, place="body", kind=kind_of(one), required=name in known.get("required", ()), text=text)


_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null", "object": "object"}
_FORMATS = {"date-time": "instant", "uuid": "id"}


def kind_of(schema: Json) -> str:
    """Return in words what a schema lets through."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(str(each) for each in schema.get("enum", [schema.get("const")]))
    if "$ref" in schema:
        return "object"
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    kind: str = schema.get("type", "any")
    return _FORMATS.get(schema.get("format", ""), _WORDS.get(kind, kind))


def _curl(method: str, path: str, parameters: list[Json], taken: Json) -> str:
    examples = {each["name"]: each.get("example", "") for each in parameters if each["in"] == "path"}
    lines = ['curl -s -H "Authorization: Bearer $API_KEY"']
    if method not in ("GET", "POST") or (method == "POST" and not taken):
        lines[0] = lines[0].replace("curl -s", f"curl -s -X {method}")
    if any(each["name"] == "Idempotency-Key" for each in parameters):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if taken:
        lines += [
            '-H "Content-Type: application/json"',
            f"-d {shlex.quote(json.dumps(taken['example'], ensure_ascii=False))}",
        ]
    return " \\\n  ".join([*lines, f'"$BROKER{path.format_map(examples)}"'])
