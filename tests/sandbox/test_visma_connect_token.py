"""Visma Connect's token and revocation endpoints as the sandbox reads the documents."""

import time
from collections.abc import Iterator

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.fakes.sandbox import SandboxProcess
from tests.sandbox.client import browser, error_of
from tests.sandbox.connect import ACME, BIRCH, SCOPE, SECRET, SERVICE, USER, WEB, Connect, claims_of


@pytest.fixture
def connect(sandbox: SandboxProcess) -> Iterator[Connect]:
    with browser() as http:
        yield Connect(sandbox, http).settle()


def test_access_tokens_are_signed_and_say_for_whom_and_what(connect: Connect) -> None:
    tokens = connect.tokens()
    keys = KeySet.import_key_set(
        connect.http.get(f"{connect.sandbox.url}/visma-connect/.well-known/openid-configuration/jwks").json()
    )
    claims = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"]).claims
    assert claims["iss"] == f"{connect.sandbox.url}/visma-connect"
    assert (claims["client_id"], claims["sub"], claims["tenant_id"]) == (WEB, USER, ACME)
    assert (claims["scope"], claims["aud"]) == (SCOPE.split(), [f"{connect.sandbox.url}/visma-net-erp"])
    assert claims["exp"] - claims["nbf"] == 3600
    assert {"auth_time", "jti"} <= set(claims)
    about = claims_of(tokens["id_token"])
    assert (about["iss"], about["aud"], about["nonce"]) == (claims["iss"], WEB, "n-1")
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 3600, SCOPE)


def test_no_refresh_token_without_offline_access(connect: Connect) -> None:
    assert "refresh_token" not in connect.tokens(scope="vismanet_erp_interactive_api:read")


def test_code_verifier_redirect_uri_and_single_use(connect: Connect) -> None:
    for wrong in ({"code_verifier": "a" * 43}, {"redirect_uri": "https://attacker.example/cb"}):
        assert error_of(connect.redeem(connect.authorize()["code"], **wrong)) == (400, "invalid_grant")
    code = connect.authorize()["code"]
    refresh = connect.redeem(code).json()["refresh_token"]
    assert error_of(connect.redeem(code)) == (400, "invalid_grant")
    assert error_of(connect.refresh(refresh)) == (400, "invalid_grant")


def test_one_time_refresh_tokens_and_what_a_replay_costs(connect: Connect) -> None:
    other = connect.tokens(BIRCH)["refresh_token"]
    first = connect.tokens()["refresh_token"]
    second = connect.refresh(first).json()["refresh_token"]
    assert second != first
    assert error_of(connect.refresh(first)) == (400, "invalid_grant")
    # All access of that client and user, the other tenant's included.
    assert [error_of(connect.refresh(one)) for one in (second, other)] == [(400, "invalid_grant")] * 2
    assert {grant["revoked_why"] for grant in connect.sandbox.grants()} == {"reuse_detected"}


def test_within_the_grace_time_a_spent_token_is_exchanged_again(connect: Connect) -> None:
    connect.system.change("apps", WEB, grace_seconds=60)
    first = connect.tokens()["refresh_token"]
    answers = [connect.refresh(first) for _ in range(3)]
    assert [one.status_code for one in answers] == [200] * 3
    assert len({one.json()["refresh_token"] for one in answers}) == 3
    connect.system.change("apps", WEB, grace_seconds=0)
    assert error_of(connect.refresh(first)) == (400, "invalid_grant")


def test_re_use_refresh_tokens_come_back_as_they_went(connect: Connect) -> None:
    connect.system.change("apps", WEB, refresh="re-use")
    first = connect.tokens()["refresh_token"]
    answers = [connect.refresh(first).json() for _ in range(2)]
    assert [one["refresh_token"] for one in answers] == [first, first]
    assert len({one["access_token"] for one in answers}) == 2


def test_a_refresh_keeps_the_tenant_and_may_narrow_the_scope(connect: Connect) -> None:
    first = connect.tokens(BIRCH)["refresh_token"]
    narrow = connect.refresh(first, scope="vismanet_erp_interactive_api:read", tenant_id=ACME).json()
    assert claims_of(narrow["access_token"])["tenant_id"] == BIRCH
    assert narrow["scope"] == "vismanet_erp_interactive_api:read"
    wider = connect.refresh(narrow["refresh_token"], scope="vismanet_erp_interactive_api:delete")
    assert error_of(wider) == (400, "invalid_scope")


def test_a_user_without_the_api_role_gets_invalid_tenant_and_may_come_back(connect: Connect) -> None:
    refresh = connect.tokens()["refresh_token"]
    connect.system.change("tenants", ACME, api_role=False)
    assert error_of(connect.redeem(connect.authorize()["code"])) == (400, "invalid_tenant")
    assert error_of(connect.refresh(refresh)) == (400, "invalid_tenant")
    connect.system.change("tenants", ACME, api_role=True)
    assert connect.refresh(refresh).status_code == 200
    connect.system.change("users", USER, tenants=[BIRCH])
    assert connect.sandbox.log(endpoint="visma-connect.token")[-1]["decision"] == "rotated"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "never-issued"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "c"}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "invalid_request"),
        ({"grant_type": "client_credentials", "scope": "vismanet_erp_interactive_api:read"}, "invalid_scope"),
    ],
)
def test_refused_token_requests(connect: Connect, form: dict[str, str], error: str) -> None:
    assert error_of(connect.post("token", form)) == (400, error)


def test_client_authentication_is_basic_or_form_and_never_both(connect: Connect) -> None:
    refresh = connect.tokens()["refresh_token"]
    both = connect.refresh(refresh, client_secret=SECRET)
    assert error_of(both) == (400, "invalid_request")
    url, form = f"{connect.sandbox.url}/visma-connect/connect/token", {"grant_type": "refresh_token"}
    posted = {**form, "refresh_token": refresh, "client_id": WEB, "client_secret": SECRET}
    assert connect.http.post(url, data=posted).status_code == 200
    assert error_of(connect.http.post(url, data={**posted, "client_secret": "wrong"})) == (400, "invalid_client")
    connect.secret = "wrong"
    assert error_of(connect.refresh(refresh)) == (400, "invalid_client")
    assert error_of(connect.http.post(url, json=posted)) == (400, "invalid_request")


def test_another_application_cannot_use_the_token(connect: Connect) -> None:
    refresh = connect.tokens()["refresh_token"]
    connect.system.put("apps", "isv_other", {"secret": SECRET})
    connect.client_id = "isv_other"
    assert error_of(connect.refresh(refresh)) == (400, "invalid_grant")
    assert error_of(connect.post("revocation", {"token": refresh})) == (400, "invalid_grant")


def test_a_service_application_names_the_tenant(connect: Connect) -> None:
    answered = connect.service().json()
    claims = claims_of(answered["access_token"])
    assert (claims["tenant_id"], claims["client_id"]) == (ACME, SERVICE)
    assert not {"sub", "auth_time"} & set(claims)
    assert "refresh_token" not in answered
    connect.client_id = SERVICE
    basic = {"grant_type": "client_credentials", "scope": "vismanet_erp_service_api:read", "tenant_id": ACME}
    assert connect.post("token", basic).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"tenant_id": BIRCH}, "invalid_tenant"),
        ({"tenant_id": "no-such-tenant"}, "invalid_tenant"),
        ({"tenant_id": None}, "invalid_request"),
        ({"scope": None}, "invalid_request"),
        ({"scope": "vismanet_erp_interactive_api:read"}, "invalid_scope"),
        ({"scope": "vismanet_erp_service_api:read offline_access"}, "invalid_scope"),
        ({"scope": "unheard:of"}, "invalid_scope"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "unauthorized_client"),
    ],
)
def test_refused_requests_of_a_service_application(
    connect: Connect, changes: dict[str, str | None], error: str
) -> None:
    assert error_of(connect.service(**changes)) == (400, error)


def test_business_nxt_does_without_a_tenant(connect: Connect) -> None:
    scope = "business-graphql-service-api:access-group-based"
    assert "tenant_id" not in claims_of(connect.service(scope=scope, tenant_id=None).json()["access_token"])
    assert claims_of(connect.service(scope=scope).json()["access_token"])["tenant_id"] == ACME


def test_revocation_ends_the_grant_and_leaves_access_tokens(connect: Connect) -> None:
    tokens = connect.tokens()
    assert connect.post("revocation", {"token": tokens["access_token"]}).status_code == 200
    assert connect.api(tokens["access_token"]).status_code == 200
    refresh = connect.refresh(tokens["refresh_token"]).json()["refresh_token"]
    assert connect.post("revocation", {"token": refresh, "token_type_hint": "access_token"}).status_code == 200
    assert error_of(connect.refresh(refresh)) == (400, "invalid_grant")
    assert connect.api(tokens["access_token"]).status_code == 200
    assert error_of(connect.post("revocation", {"other": "1"})) == (400, "invalid_request")


def test_grants_stand_in_the_common_list_and_can_be_withdrawn(connect: Connect) -> None:
    refresh = connect.tokens()["refresh_token"]
    (grant,) = connect.sandbox.grants(client_id=f"visma-connect/{WEB}", alive="true")
    assert (grant["user"], grant["company"], grant["refresh_token_current"]) == (USER, ACME, True)
    connect.sandbox.withdraw(grant["id"])
    assert error_of(connect.refresh(refresh)) == (400, "invalid_grant")


def test_faults_latency_and_log(connect: Connect) -> None:
    tokens = connect.tokens()
    connect.sandbox.fault("visma-connect.token", "drop_after", client_id=WEB)
    with pytest.raises(httpx2.TransportError):
        connect.refresh(tokens["refresh_token"])
    assert error_of(connect.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    connect.sandbox.set_latency(**{"visma-connect.token": 0.2})
    began = time.monotonic()
    connect.service()
    assert time.monotonic() - began >= 0.2
    entries = connect.sandbox.log(endpoint="visma-connect.token")
    assert [one["decision"] for one in entries] == ["issued", "rotated", "reuse_detected", "issued"]
    assert not [one for one in (*tokens.values(), SECRET) if str(one) in str(entries) and len(str(one)) > 20]
