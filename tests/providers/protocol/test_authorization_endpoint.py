from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace as replace_struct

from providers.definition import Quirks
from providers.errors import AuthorizationRefused, AuthorizationResponseInvalid, DefinitionError
from providers.protocol.authorization_endpoint import (
    build_authorization_request,
    process_authorization_response,
)
from providers.protocol.pkce import code_challenge

VERIFIER = "v" * 43
ISSUER = "https://login.example"


@pytest.fixture
def build(definition, registration, environment):
    def build(definition=definition, registration=registration, locale=None, scopes=("api", "read")):
        request = build_authorization_request(
            definition,
            registration,
            environment,
            scopes=scopes,
            redirect_uri="https://broker.example/cb/k1?x=ä",
            state="st&te",
            code_verifier=VERIFIER,
            locale=locale,
        )
        return parse_qsl(urlsplit(request.url).query)

    return build


class TestRequest:
    def test_has_every_parameter_once_and_keeps_the_endpoints_own_query(self, build):
        pairs = build()
        assert dict(pairs) == {
            "tenant": "common",
            "response_type": "code",
            "client_id": "client one",
            "redirect_uri": "https://broker.example/cb/k1?x=ä",
            "scope": "api read",
            "state": "st&te",
            "code_challenge": code_challenge(VERIFIER),
            "code_challenge_method": "S256",
            "prompt": "select_account",
        }
        assert len(pairs) == len(dict(pairs))

    def test_never_carries_the_verifier_or_a_secret(self, build):
        assert not {VERIFIER, ":+%&é"} & {value for _, value in build()}

    def test_scopes_are_joined_as_the_provider_wants_and_left_out_when_there_are_none(self, definition, build):
        quirky = replace_struct(definition, quirks=Quirks(scope_separator=","))
        assert dict(build(quirky))["scope"] == "api,read"
        assert "scope" not in dict(build(scopes=()))

    def test_the_locale_is_sent_only_where_the_provider_has_it(self, build):
        assert dict(build(locale="fi"))["ui_locales"] == "fi"
        assert "ui_locales" not in dict(build(locale="sv"))

    def test_a_registration_replaces_known_parameters_and_no_others(self, registration, build):
        assert dict(build(registration=replace(registration, parameters={"prompt": "login"})))["prompt"] == "login"
        with pytest.raises(DefinitionError, match="redirect_uri"):
            build(registration=replace(registration, parameters={"redirect_uri": "https://evil.example"}))


@pytest.fixture
def process(definition, environment):
    def process(*parameters, iss_required=False):
        judged = replace_struct(environment, authorization_response_iss_parameter_supported=iss_required)
        return process_authorization_response(definition, judged, parameters)

    return process


class TestResponse:
    def test_gives_the_code(self, process):
        assert process(("code", "c-1"), ("state", "s"), ("unknown", "x")) == "c-1"
        assert process(("code", "c-1"), ("iss", ISSUER), iss_required=True) == "c-1"

    @pytest.mark.parametrize(
        ("parameters", "problem"),
        [
            ((), "code_missing"),
            ((("code", ""),), "code_missing"),
            ((("code", "a"), ("code", "a")), "parameter_repeated"),
            ((("code", "a"), ("other", "1"), ("other", "2")), "parameter_repeated"),
            ((("code", "a"), ("iss", ISSUER), ("iss", ISSUER)), "parameter_repeated"),
            ((("code", "a"), ("error", "access_denied")), "code_and_error"),
            ((("code", "a" * 4097),), "parameter_too_long"),
            ((("code", "a"), ("state", "s" * 1025)), "parameter_too_long"),
            ((("error", "e" * 257),), "parameter_too_long"),
            ((("code", "a\r\nb"),), "code_malformed"),
            ((("code", "ä"),), "code_malformed"),
            ((("code", "a"), ("iss", "https://evil.example")), "iss_mismatch"),
            ((("code", "a"), ("iss", ISSUER + "/")), "iss_mismatch"),
            ((("code", "a"), ("iss", "")), "iss_mismatch"),
            ((("error", "access_denied"), ("iss", "https://evil.example")), "iss_mismatch"),
        ],
    )
    def test_is_refused(self, process, parameters, problem):
        with pytest.raises(AuthorizationResponseInvalid) as caught:
            process(*parameters)
        assert caught.value.problem == problem

    @pytest.mark.parametrize("parameter", [("code", "a"), ("error", "access_denied")])
    def test_without_iss_is_refused_where_it_is_announced(self, process, parameter):
        with pytest.raises(AuthorizationResponseInvalid) as caught:
            process(parameter, iss_required=True)
        assert caught.value.problem == "iss_missing"

    def test_with_an_error_says_which_and_shows_nothing_dangerous(self, process):
        with pytest.raises(AuthorizationRefused) as caught:
            process(("error", "access_denied"), ("error_description", "no\n" + "tok3n" * 10))
        assert caught.value.error == "access_denied"
        assert caught.value.description == "no [redacted]"
