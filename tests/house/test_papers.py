"""The papers say what the code does: each list in them is compared with the code it speaks of."""

import re
import tomllib
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from broker import checks, errors, settings
from broker.api import routes
from broker.api.schemas import TokenOut
from broker.services.issue import IssuedToken
from providers import definition
from providers.messages import OAuthCredential, Secret
from tenants import models
from tenants.models import Operation, Reason, State
from tests.house import papers

MARKDOWN = papers.files(".md")
COMMANDS = sorted(path.stem for path in (papers.ROOT / "broker/management/commands").glob("[a-z]*.py"))
TYPES = {str: "text", int: "whole number", float: "number", bool: "switch", list: "list"}


def settings_table() -> dict[str, dict[str, str]]:
    found = papers.rows(papers.read("docs/settings.md"), "variable", "type", "default", "meaning")
    table = {papers.bare(row["variable"]): row for row in found}
    assert len(table) == len(found), "a variable stands twice in docs/settings.md"
    return table


def shown(default: Any) -> str:
    """A default as the papers write it."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int | float):
        return f"{default:g}"
    text = str(default or "")
    return str(Path(text).relative_to(papers.ROOT)) if text.startswith(str(papers.ROOT)) else text


class TestSettings:
    def test_every_variable_is_documented_and_every_documented_one_exists(self):
        assert list(settings_table()) != []
        assert set(settings_table()) == set(settings.SCHEME)

    @pytest.mark.parametrize("name", settings.REQUIRED)
    def test_required_variables_are_marked_so(self, name):
        row = settings_table()[name]
        assert (row["type"], row["default"]) == (TYPES[settings.REQUIRED[name]], "required")
        assert row["meaning"]

    @pytest.mark.parametrize("name", settings.OPTIONAL)
    def test_optional_variables_have_their_type_and_default(self, name):
        kind, default = settings.OPTIONAL[name]
        row = settings_table()[name]
        written = row["default"].removesuffix(" in the checkout")
        assert (row["type"], papers.bare(written)) == (TYPES[kind], shown(default) or "empty")
        assert row["meaning"]

    def test_the_example_file_names_each_once_with_its_default(self):
        lines = [line for line in papers.read(".env.example").splitlines() if re.match(r"(# )?[A-Z_]+=", line)]
        given = [line.split("=", 1)[0].removesuffix("_FILE") for line in lines if not line.startswith("#")]
        assert sorted(given) == sorted(settings.REQUIRED)
        commented = sorted(line.removeprefix("# ") for line in lines if line.startswith("#"))
        assert commented == sorted(f"{name}={shown(default)}" for name, (_, default) in settings.OPTIONAL.items())

    def test_the_compose_file_sets_what_is_required_and_nothing_unknown(self):
        block = re.search(r"environment: &environment\n((?:    .*\n)+?)  secrets:", papers.read("compose.yaml"))
        assert block
        given = {name.removesuffix("_FILE") for name in re.findall(r"^    ([A-Z_]+):", block[1], re.MULTILINE)}
        assert set(settings.REQUIRED) <= given <= set(settings.SCHEME)

    def test_every_check_is_explained(self):
        written = re.findall(r"^(broker\.[EW]\d+)", checks.__doc__ or "", re.MULTILINE)
        in_code = re.findall(r'id="(broker\.[EW]\d+)"', papers.read("broker/checks.py"))
        rows = papers.rows(papers.read("docs/settings.md"), "id", "meaning", "what to do")
        documented = [papers.bare(row["id"]) for row in rows]
        assert sorted(documented) == sorted(in_code) == sorted(written) != []


class TestErrors:
    def test_each_code_has_its_row_and_each_row_its_code(self):
        rows = papers.rows(papers.read("docs/errors.md"), "code", "status", "retryable", "action", "what happened")
        written = sorted(tuple(papers.bare(cell) for cell in list(row.values())[:4]) for row in rows)
        coded = sorted(
            (each.code, str(each.status), "yes" if each.retryable else "no", each.action) for each in error_classes()
        )
        assert written == coded

    def test_each_action_is_explained(self):
        rows = papers.rows(papers.read("docs/errors.md"), "`action`", "do")
        assert sorted(papers.bare(row["`action`"]) for row in rows) == sorted({e.action for e in error_classes()})

    def test_the_head_of_the_module_draws_every_class(self):
        drawn = (errors.__doc__ or "").replace("NotFound: connection, tenant, provider, session", "")
        missing = [e.__name__ for e in error_classes() if e.__name__ not in drawn and "NotFound" not in e.__name__]
        pages = ["ConnectLinkInvalid", "ConnectLinkExpired", "AuthorizationResponseRefused"]
        assert missing in ([], pages)


def error_classes() -> list[type[errors.BrokerError]]:
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, errors.BrokerError) and each is not errors.BrokerError]


class TestApi:
    paper = papers.read("docs/api.md")
    document = routes.api.get_openapi_schema()

    def test_routes_and_operation_ids_are_those_of_the_openapi_document(self):
        written = {
            (row["route"], row["operation id"]) for row in papers.rows(self.paper, "route", "operation id", "needs")
        }
        served = {
            (f"`{method.upper()} {path}`", f"`{operation['operationId']}`")
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }
        assert written == served

    def test_the_operation_that_a_route_needs_exists(self):
        needed = {papers.bare(row["needs"]) for row in papers.rows(self.paper, "route", "operation id", "needs")}
        # Metrics are no part of the described API.
        assert needed | {Operation.METRICS_READ.value} == set(Operation.values)

    def test_every_parameter_and_member_is_named(self):
        schemas = self.document["components"]["schemas"]
        members = {member for name, schema in schemas.items() if name != "Problem" for member in schema["properties"]}
        parameters = {
            parameter["name"]
            for methods in self.document["paths"].values()
            for operation in methods.values()
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "query"
        }
        assert (members | parameters) - set(papers.code(self.paper)) == set()
        assert set(schemas["Problem"]["properties"]) - set(re.findall(r"\w+", papers.read("docs/errors.md"))) == set()

    def test_the_token_is_described_as_it_is_written(self):
        rows = papers.rows(papers.section(self.paper, "Get a token"), "member", "meaning")
        credential = OAuthCredential(access_token=Secret("a"))
        token = IssuedToken(
            connection_id=uuid4(),
            credential=credential,
            expires_at=None,
            version=1,
            base_url="",
            headers={},
            degraded=None,
        )
        assert [papers.bare(row["member"]) for row in rows] == list(token.as_json()) == list(TokenOut.model_fields)

    def test_every_command_is_documented_with_its_options_and_no_other(self):
        written = papers.section(self.paper, "Commands")
        assert sorted(re.findall(r"^### (\w+)$", written, re.MULTILINE)) == COMMANDS
        for command in COMMANDS:
            assert set(re.findall(r"--[a-z-]+", papers.section(written, command))) == options_of(command), command


def options_of(command: str) -> set[str]:
    """A command's own options, without those that every command of Django's has, and ours: --json."""
    everybodys = {*BaseCommand().create_parser("manage.py", "any")._option_string_actions, "--json"}
    own = load_command_class("broker", command).create_parser("manage.py", command)._option_string_actions
    return set(own) - everybodys


class TestRunbook:
    paper = papers.read("docs/runbook.md")

    def test_every_reason_stands_there_in_the_words_that_staff_and_callers_see(self):
        rows = papers.rows(papers.section(self.paper, "Reasons"), "reason", "what the page says", "next step")
        written = [(papers.bare(row["reason"]), row["what the page says"]) for row in rows]
        assert written == [(reason.value, str(reason.label)) for reason in Reason if reason is not Reason.NONE]

    def test_every_management_command_that_papers_call_exists(self):
        called = set()
        for paper in MARKDOWN:
            called |= set(re.findall(r"manage(?:\.py)? ([a-z_]+)", paper.read_text()))
        known = {*COMMANDS, "migrate", "collectstatic", "createsuperuser", "check", "shell"}
        assert called - known == set()
        assert set(COMMANDS) <= called


class TestGlossary:
    paper = papers.read("docs/glossary.md")

    def test_every_model_has_a_word(self):
        entries = papers.rows(self.paper, "word", "meaning", "in the code")
        told = {name for row in entries for name in papers.code(row["in the code"])}
        assert {f"tenants.models.{name}" for name in models.__all__} - told == set()

    def test_states_are_those_of_the_code(self):
        assert [papers.bare(row["state"]) for row in papers.rows(self.paper, "state", "meaning")] == State.values


class TestProviders:
    @pytest.mark.parametrize(
        "table",
        [
            "ProviderDefinition",
            "Environment",
            "Traits",
            "Quirks",
            "ApiErrorPaths",
            "ExternalAccountLookup",
            "ConnectHelp",
            "EnteredField",
            "RegistrationField",
            "Signing",
        ],
    )
    def test_every_key_of_a_provider_file_is_listed(self, table):
        fields = {field.encode_name for field in msgspec.structs.fields(getattr(definition, table))}
        assert fields - set(papers.code(papers.read("docs/adding-a-provider.md"))) == set()

    def test_every_default_is_the_codes(self):
        for table in (definition.Environment, definition.Traits, definition.Quirks, definition.Signing):
            known = {field.name: field.default for field in msgspec.structs.fields(table)}
            for row in papers.rows(papers.read("docs/adding-a-provider.md"), "key", "default", "meaning"):
                default = known.get(papers.bare(row["key"]))
                if isinstance(default, bool | int):
                    assert papers.bare(row["default"]) == shown(default), row["key"]

    def test_the_examples_are_good_toml(self):
        blocks = re.findall(r"```toml\n(.*?)```", papers.read("docs/adding-a-provider.md"), re.DOTALL)
        assert blocks
        assert all(tomllib.loads(block) for block in blocks)
