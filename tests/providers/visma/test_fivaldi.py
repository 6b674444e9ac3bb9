from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from dataclasses import replace

import pytest

from providers.errors import RequestRefused, RightMissing
from providers.interface import (
    HANDS_OUT_HEADERS,
    PROBES,
    SIGNS_REQUESTS,
    VERIFIES,
    Probes,
    Provider,
    SignsRequests,
    Verifies,
)
from providers.messages import RequestToSign
from providers.protocol.request_to_sign import read_request
from providers.visma import fivaldi
from tests.providers.peer import Peer, answer
from tests.providers.visma.conftest import NOW, credential, registration, vectors

ALL = vectors("fivaldi")
CUID = "4CAB0000000000000000000000000001"
OTHER = "4CAB0000000000000000000000000002"
BASE = "https://api.fivaldi.net/customer/api"
HOME = f"{BASE}/companies/{CUID}"
ids = lambda each: each["id"]  # noqa: E731


@pytest.fixture
def provider(registry):
    return registry.find("fivaldi")


@pytest.fixture
def ours():
    return registration("fivaldi", client_id="partner-demo-01", secret="0f8fad5bd9cb469fa16570867728950e")


@pytest.fixture
def sign(provider, ours):
    def sign(url: str = f"{HOME}/customers", method: str = "GET", **request: object):
        given = RequestToSign(method=method, url=url, **request)
        return provider.sign(ours, credential(cuid=CUID), given, now=NOW, nonce="unused")

    return sign


@pytest.fixture
def refused(sign):
    def refused(*arguments: str, **request: object) -> tuple[str, str]:
        with pytest.raises(RequestRefused) as caught:
            sign(*arguments, **request)
        return caught.value.field, caught.value.problem

    return refused


def signed_by_vector(vector: dict, provider, **body: object):
    given = vector["inputs"]
    chosen = registration("fivaldi", client_id=given["partner_id"], secret=given["partner_secret"], reach="partner")
    request = read_request(
        method=given["method"],
        url=given["url"],
        content_type=given["content_type"],
        headers=given["extra_headers"],
        **body,
    )
    now = dt.datetime.fromtimestamp(int(given["timestamp"]), dt.UTC)
    return provider.sign(chosen, credential(cuid=CUID), request, now=now, nonce="").headers


def expected_headers(vector: dict) -> dict[str, str]:
    headers = dict(vector["expected"]["headers"])
    if vector["inputs"]["content_type"] and not vector["expected"]["signed_content_type"]:
        # What is not signed is the HTTP library's: for multipart only it knows the boundary.
        headers.pop("Content-Type", None)
    return headers


@pytest.mark.parametrize("vector", ALL, ids=ids)
class TestVectors:
    def test_every_header_is_reproduced(self, provider, vector):
        assert signed_by_vector(vector, provider, body=vector["inputs"]["body"]) == expected_headers(vector)

    def test_a_body_given_as_base64_or_as_its_digest_signs_the_same(self, provider, vector):
        text = vector["inputs"]["body"]
        if text is not None:
            body = text.encode()
            given = {"body_base64": base64.b64encode(body).decode()}, {"body_digest": hashlib.md5(body).hexdigest()}
            for form in given:
                assert signed_by_vector(vector, provider, **form) == expected_headers(vector)


class TestBody:
    @pytest.mark.parametrize("empty", [{"body": None}, {"body": b""}, {"body_digest": hashlib.md5(b"").hexdigest()}])
    def test_none_is_signed_as_nothing_its_content_type_too(self, sign, empty):
        signed = sign(method="POST", content_type="application/json", **empty)
        assert signed.headers == sign(method="POST").headers
        assert "Content-Type" not in signed.headers

    def test_one_byte_more_is_another_signature(self, sign):
        bodies = (b"{}", b"{ }")
        signatures = {
            sign(method="POST", body=body, content_type="application/json").headers["Authorization"] for body in bodies
        }
        assert len(signatures) == 2

    def test_multipart_is_not_signed(self, sign):
        upload = {"body": b"--b", "content_type": "Multipart/Form-Data; boundary=b"}
        assert sign(method="POST", **upload).headers == sign(method="POST").headers

    def test_a_body_without_content_type_is_refused(self, refused):
        assert refused(method="POST", body=b"{}") == ("content_type", "missing")

    def test_a_digest_of_another_kind_is_refused(self, refused):
        digest = hashlib.sha256(b"{}").hexdigest()
        assert refused(method="POST", body_digest=digest, content_type="a/b") == ("body_digest", "digest_not_md5")

    @pytest.mark.parametrize("value", ["a/b\r\nX: 1", "a/b\n", " a/b", "a/ä"])
    def test_a_content_type_that_is_no_header_value_is_refused(self, refused, value):
        assert refused(method="POST", body=b"{}", content_type=value) == ("content_type", "header_value")


class TestHeaders:
    def test_the_callers_own_are_sorted_in(self, sign):
        more = {"X-Fivaldi-Zeta": "z", "X-Fivaldi-Alpha": "a", "Accept": "application/json"}
        headers = sign(headers=more).headers
        assert headers["X-Fivaldi-Zeta"] == "z"
        assert "Accept" not in headers
        assert headers == sign(headers=dict(reversed(more.items()))).headers
        assert headers["Authorization"] != sign().headers["Authorization"]

    @pytest.mark.parametrize(
        "name",
        [
            "X-Fivaldi-Partner",
            "x-fivaldi-timestamp",
            "X-Fivaldi",
            "X-FivaldiCompany",
            "X-Fivaldi-A\r\nB",
            "X-Fivaldi-ä",
        ],
    )
    def test_names_that_we_make_or_nobody_knows_are_refused(self, refused, name):
        assert refused(headers={name: "1"}) == ("headers", "header_name")

    def test_a_name_twice_is_refused(self, refused):
        assert refused(headers={"X-Fivaldi-A": "1", "x-fivaldi-a": "2"}) == ("headers", "header_name")

    @pytest.mark.parametrize("value", ["", " 1", "1\n", "1\r\nX: 2", "ä"])
    def test_values_that_arrive_otherwise_are_refused(self, refused, value):
        assert refused(headers={"X-Fivaldi-A": value}) == ("headers.X-Fivaldi-A", "header_value")


class TestCompany:
    """One partner credential opens the companies of all customers: a connection signs for its own."""

    @pytest.mark.parametrize("url", [HOME, f"{HOME}/customers?name=a", f"{BASE}/ping"])
    def test_its_own_are_signed(self, sign, url):
        assert sign(url).headers

    @pytest.mark.parametrize(
        "url",
        [
            f"{BASE}/companies/{OTHER}/customers",
            f"{BASE}/companies/{CUID}0/customers",
            f"{BASE}/companies/{CUID.lower()}/customers",
            f"{BASE}/companies/%34CAB0000000000000000000000000001/customers",
            f"{BASE}/companies?businessId=0112038-9",
            f"{BASE}/companies",
            f"{BASE}/customers",
            f"{BASE}/webhooks/{CUID}",
            f"{BASE}/ping/{OTHER}",
        ],
    )
    def test_others_are_refused(self, refused, url):
        assert refused(url) == ("url", "foreign_company")

    @pytest.mark.parametrize("url", [f"{HOME}/../{OTHER}/x", f"{HOME}/..;/{OTHER}/x", f"{HOME}/..%2F{OTHER}/x"])
    def test_there_is_no_way_around(self, refused, url):
        assert refused(url)[0] == "url"

    def test_a_registration_of_ones_own_may_reach_all(self, provider, ours):
        own = replace(ours, parameters={"reach": "partner"})
        request = RequestToSign(method="GET", url=f"{BASE}/companies")
        assert provider.sign(own, credential(cuid=CUID), request, now=NOW, nonce="").headers

    def test_a_credential_that_was_not_verified_signs_nothing(self, provider, ours):
        request = RequestToSign(method="GET", url=f"{HOME}/customers")
        with pytest.raises(RequestRefused) as caught:
            provider.sign(ours, credential(company="0112038-9"), request, now=NOW, nonce="")
        assert caught.value.field == "cuid"


class TestSign:
    def test_it_is_good_for_a_minute_and_has_no_transaction_id(self, sign):
        signed = sign()
        assert signed.transaction_id is None
        assert signed.valid_until - NOW == dt.timedelta(seconds=60)
        assert signed.headers["X-Fivaldi-Timestamp"] == str(int(NOW.timestamp()))

    def test_a_last_question_mark_alone_is_not_signed(self, sign):
        assert sign(f"{HOME}/customers?").headers == sign(f"{HOME}/customers").headers
        assert sign(f"{HOME}/customers?a").headers != sign(f"{HOME}/customers").headers

    @pytest.mark.parametrize("method", ["get", "HEAD", "CONNECT"])
    def test_other_methods_are_refused(self, refused, method):
        assert refused(method=method) == ("method", "method")

    def test_what_a_client_would_rewrite_is_refused(self, refused):
        assert refused(f"{HOME}/customers?name=Mäkelä") == ("url", "not_percent_encoded")

    def test_a_registration_without_secret_is_refused(self, provider, ours):
        request = RequestToSign(method="GET", url=HOME)
        with pytest.raises(RequestRefused) as caught:
            provider.sign(replace(ours, client_secrets=()), credential(cuid=CUID), request, now=NOW, nonce="")
        assert caught.value.field == "client_secret"


class TestVerify:
    def verify(self, provider, ours, companies: object, entered: str):
        def script(connection, peer):
            peer.read_request(connection)
            connection.sendall(answer("200 OK", json.dumps(companies).encode()))

        with Peer(script) as peer:
            local = replace(ours, parameters={"base_url": f"{peer.url}/customer/api"})
            verified = provider.verify(local, credential(company=entered), now=NOW, nonce="")
        return verified, peer.requests

    def test_a_business_id_finds_the_company(self, provider, ours):
        found = [{"cuid": CUID, "businessId": "0112038-9", "name1": "Mallioy", "name2": "Oy"}]
        verified, requests = self.verify(provider, ours, found, "0112038-9")
        assert len(requests) == 1
        assert requests[0].startswith(b"GET /customer/api/companies?businessId=0112038-9 HTTP/1.1\r\n")
        assert verified.credential == credential(cuid=CUID)
        assert (verified.account.subject, verified.account.name) == (CUID, "Mallioy Oy")

    def test_a_cuid_is_looked_for_among_all(self, provider, ours):
        found = [{"cuid": OTHER, "name1": "B"}, {"cuid": CUID, "name1": "A"}]
        verified, _ = self.verify(provider, ours, found, CUID)
        assert (verified.account.subject, verified.account.name) == (CUID, "A")

    @pytest.mark.parametrize(
        ("found", "error"),
        [
            ([], "company_not_found"),
            (
                [{"cuid": OTHER, "businessId": "0112038-9"}, {"cuid": CUID, "businessId": "0112038-9"}],
                "company_ambiguous",
            ),
            ([{"cuid": OTHER, "businessId": "0201256-6"}], "company_not_found"),
        ],
    )
    def test_none_or_several_is_the_customers_turn(self, provider, ours, found, error):
        with pytest.raises(RightMissing) as caught:
            self.verify(provider, ours, found, "0112038-9")
        assert (caught.value.error, caught.value.fields) == (error, ("company",))
        assert caught.value.explanation


def test_it_keeps_the_promises_of_the_interface(provider):
    assert isinstance(provider, Provider)
    assert isinstance(provider, SignsRequests)
    assert isinstance(provider, Verifies)
    assert isinstance(provider, Probes)
    assert provider.capabilities == (SIGNS_REQUESTS, VERIFIES, PROBES, HANDS_OUT_HEADERS)
    assert provider.id == fivaldi.PROVIDER_ID
