from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import GrantRejected, RequestRefused
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
from providers.visma import netvisor
from tests.providers.peer import Peer, answer, answering
from tests.providers.visma.conftest import NONCE, NOW, credential, registration, vectors

ALL = vectors("netvisor")
MACS = [each for each in ALL if each["scheme"] != "netvisor-signed-url"]
URLS = [each for each in ALL if each["scheme"] == "netvisor-signed-url"]
# In these the timestamp has another form than ours, so `sign` cannot make them; `build_headers` can.
OTHER_TIMESTAMPS = {"nv-sha256-19-ts-no-millis", "nv-hmac-20-ts-iso-t-z"}
ALGORITHMS = {"netvisor-sha256": "SHA256", "netvisor-hmacsha256": "HMACSHA256"}
LIST = "https://integration.netvisor.fi/customerlist.nv"
ids = lambda each: each["id"]  # noqa: E731


@pytest.fixture
def provider(registry):
    return registry.find("netvisor")


@pytest.fixture
def ours():
    return registration("netvisor", client_id="Xxx_123", secret="9999888877776666", sender="BrokerDemo")


@pytest.fixture
def theirs():
    return credential(customer_id="XX_demo_1_12345", customer_key="AAAABBBBCCCCDDDD", organisation_id="0112038-9")


@pytest.fixture
def sign(provider, ours, theirs):
    def sign(url: str = LIST, *, now: dt.datetime = NOW, nonce: str = NONCE, method: str = "GET", **parameters: str):
        chosen = replace(ours, parameters={**ours.parameters, **parameters})
        return provider.sign(chosen, theirs, RequestToSign(method=method, url=url), now=now, nonce=nonce)

    return sign


class TestVectors:
    @pytest.mark.parametrize("vector", MACS, ids=ids)
    def test_every_mac_and_header_is_reproduced(self, vector):
        given_, expected = vector["inputs"], vector["expected"]
        names = ("sender", "customer_id", "customer_key", "partner_id", "partner_key", "organisation_id", "language")
        headers = netvisor.build_headers(
            algorithm=ALGORITHMS[vector["scheme"]],
            signed_url=given_["url"],
            timestamp=given_["timestamp"],
            timestamp_unix=given_.get("timestamp_unix", ""),
            transaction_id=given_["transaction_id"],
            **{name: given_[name] for name in names},
        )
        assert headers["X-Netvisor-Authentication-MAC"] == expected["mac"]
        # The Content-Type is the caller's: what each client sends there is not authenticated.
        assert headers == {name: value for name, value in expected["headers"].items() if name != "Content-Type"}

    @pytest.mark.parametrize("vector", [each for each in MACS if each["id"] not in OTHER_TIMESTAMPS], ids=ids)
    def test_the_whole_way_gives_the_same(self, provider, vector):
        given_, expected = vector["inputs"], vector["expected"]["headers"]
        now = dt.datetime.strptime(given_["timestamp"] + "+0000", "%Y-%m-%d %H:%M:%S.%f%z")
        chosen = registration(
            "netvisor",
            client_id=given_["partner_id"],
            secret=given_["partner_key"],
            sender=given_["sender"],
            language=given_["language"],
            algorithm=ALGORITHMS[vector["scheme"]],
            # These URLs are what is signed: as they are, unless they are written as nobody can send them.
            signed_url="sent" if "%" in given_["url"] else "decoded",
            base_url=re.match(r"https://[^/]+", given_["url"])[0],
        )
        held = credential(**{name: given_[name] for name in ("customer_id", "customer_key", "organisation_id")})
        request = RequestToSign(method=given_["method"], url=given_["url"], content_type=expected.get("Content-Type"))
        assert provider.sign(chosen, held, request, now=now, nonce=given_["transaction_id"]).headers == expected

    @pytest.mark.parametrize("vector", URLS, ids=ids)
    def test_the_url_is_signed_decoded(self, vector):
        sent = "&".join(f"{name}={quote(value, safe='')}" for name, value in vector["inputs"]["params"].items())
        assert netvisor.decoded_url(f"{LIST}?{sent}") == f"{LIST}?{vector['expected']['signed_query']}"

    def test_the_escaped_url_has_the_mac_of_the_raw_one_unless_it_is_signed_as_sent(self, sign):
        mac = "X-Netvisor-Authentication-MAC"
        raw, escaped = f"{LIST}?keyword=Mäkelä", f"{LIST}?keyword=M%C3%A4kel%C3%A4"
        assert sign(raw).headers[mac] == sign(escaped).headers[mac]
        assert sign(escaped, signed_url="sent").headers[mac] != sign(escaped).headers[mac]


class TestSign:
    def test_timestamp_and_its_unix_twin_are_one_instant_in_utc(self, sign):
        helsinki = dt.timezone(dt.timedelta(hours=3))
        late = dt.datetime(2025, 6, 26, 23, 9, 50, 999999, tzinfo=helsinki)
        headers = sign(now=late).headers
        assert headers["X-Netvisor-Authentication-Timestamp"] == "2025-06-26 20:09:50.999"
        assert headers["X-Netvisor-Authentication-TimestampUnix"] == "1750968590"

    def test_a_time_without_zone_is_a_mistake(self, sign):
        with pytest.raises(ValueError, match="aware"):
            sign(now=NOW.replace(tzinfo=None))

    def test_the_nonce_is_the_transaction_id(self, sign):
        signed = sign()
        assert signed.transaction_id == signed.headers["X-Netvisor-Authentication-TransactionId"] == NONCE
        assert sign(nonce=NONCE[::-1]).headers != signed.headers

    @pytest.mark.parametrize("nonce", ["", "short", "a" * 65, "a" * 20 + "&", "a" * 20 + "\n"])
    def test_a_nonce_that_could_be_something_else_is_a_mistake(self, sign, nonce):
        with pytest.raises(ValueError, match="nonce"):
            sign(nonce=nonce)

    def test_it_is_good_for_a_minute(self, sign):
        assert sign().valid_until - NOW == dt.timedelta(seconds=60)

    def test_the_same_arguments_give_the_same_bytes(self, sign):
        assert sign() == sign()

    def test_no_key_travels_or_shows(self, sign):
        signed = sign()
        text = repr(signed.headers)
        assert "AAAABBBB" not in text
        assert "99998888" not in text
        assert "MAC" not in repr(signed)

    @pytest.mark.parametrize(
        ("parameters", "field"),
        [
            ({"language": "NO"}, "parameters.language"),
            ({"algorithm": "MD5"}, "parameters.algorithm"),
            ({"signed_url": "raw"}, "parameters.signed_url"),
            ({"sender": ""}, "parameters.sender"),
            ({"sender": "a&b"}, "parameters.sender"),
            ({"sender": "a\r\nX-Injected: 1"}, "parameters.sender"),
            ({"base_url": "http://integration.netvisor.fi"}, "parameters.base_url"),
            ({"base_url": "https://user@integration.netvisor.fi"}, "parameters.base_url"),
            ({"mood": "good"}, "parameters.mood"),
        ],
    )
    def test_a_registration_that_cannot_be_meant_is_refused(self, sign, parameters, field):
        with pytest.raises(RequestRefused) as caught:
            sign(**parameters)
        assert caught.value.field == field

    @pytest.mark.parametrize("method", ["get", "DELETE", "TRACE", "GET\r\n"])
    def test_other_methods_are_refused(self, sign, method):
        with pytest.raises(RequestRefused) as caught:
            sign(method=method)
        assert (caught.value.field, caught.value.problem) == ("method", "method")

    def test_the_content_type_is_handed_back_and_cannot_break_the_line(self, provider, ours, theirs):
        request = RequestToSign(method="POST", url=LIST, body=b"<root/>", content_type="text/xml")
        signed = provider.sign(ours, theirs, request, now=NOW, nonce=NONCE)
        assert signed.headers["Content-Type"] == "text/xml"
        with pytest.raises(RequestRefused) as caught:
            provider.sign(ours, theirs, replace(request, content_type="a/b\r\nX: 1"), now=NOW, nonce=NONCE)
        assert caught.value.field == "content_type"

    def test_hosts(self, sign, provider, ours, theirs):
        for url in ("https://isvapi.netvisor.fi/customerlist.nv", f"{LIST}x", "https://integration.netvisor.fi/a/b.nv"):
            with pytest.raises(RequestRefused):
                sign(url)
        test = replace(ours, environment="test")
        request = RequestToSign(method="GET", url="https://isvapi.netvisor.fi/customerlist.nv")
        assert provider.sign(test, theirs, request, now=NOW, nonce=NONCE).headers
        own = "https://netvisor.own.example:8443/api"
        assert sign(f"{own}/customerlist.nv", base_url=own).headers
        with pytest.raises(RequestRefused):
            sign(LIST, base_url=own)


class TestCharacters:
    @pytest.mark.parametrize(
        ("url", "position"),
        [
            (f"{LIST}?keyword=abc%E2%98%83", len(LIST) + 12),
            (f"{LIST}?a=%C3%A4&keyword=%E2%98%83%E2%98%83", len(LIST) + 18),
            (f"{LIST}?keyword=ä☃", len(LIST) + 10),
            (f"{LIST}?keyword=%C2%A4", len(LIST) + 9),
        ],
    )
    def test_one_outside_the_encoding_is_refused_where_it_was_written(self, sign, url, position):
        with pytest.raises(RequestRefused) as caught:
            sign(url)
        refused = caught.value
        assert (refused.problem, refused.field, refused.position) == ("character_not_carried", "url", position)

    @pytest.mark.parametrize("url", [f"{LIST}?keyword=a%E4%E4", f"{LIST}?k=%C3%A4%FF"])
    def test_escapes_of_another_encoding_are_refused_where_they_begin(self, sign, url):
        with pytest.raises(RequestRefused) as caught:
            sign(url)
        assert caught.value.problem == "escape_not_utf8"
        assert url[caught.value.position :].startswith(("%E4%E4", "%FF"))

    def test_a_control_character_that_only_decoding_shows_is_refused(self, sign):
        with pytest.raises(RequestRefused) as caught:
            sign(f"{LIST}?keyword=a%C2%85")
        assert (caught.value.problem, caught.value.position) == ("control_character", len(LIST) + 10)

    @pytest.mark.parametrize("name", ["sender", "customer_key", "organisation_id"])
    @pytest.mark.parametrize(
        ("value", "problem"), [("aλ", "character_not_carried"), ("a\n", "control_character"), ("a¤", None)]
    )
    def test_every_value_is_looked_at(self, name, value, problem):
        values = dict.fromkeys(
            ("sender", "customer_id", "customer_key", "partner_id", "partner_key", "organisation_id", "language"), "x"
        )
        with pytest.raises(RequestRefused) as caught:
            netvisor.build_headers(
                **{**values, name: value},
                algorithm="HMACSHA256",
                signed_url=LIST,
                timestamp="t",
                timestamp_unix="1",
                transaction_id="x",
            )
        assert (caught.value.field, caught.value.position) == (name, 1)
        assert caught.value.problem == (problem or "character_not_carried")
        assert value not in str(caught.value)

    @given(st.text(st.characters(codec="iso-8859-15", exclude_categories=["Cc"]), max_size=60))
    def test_signing_is_the_same_for_every_character_the_encoding_has(self, text):
        assert netvisor._encoded(text) == text.encode("iso-8859-15")

    @given(st.text(max_size=60))
    def test_decoding_is_percent_decoding(self, text):
        escaped = LIST + "?" + quote(text.encode("utf-8", "replace"), safe="=&+/")
        assert netvisor.decoded_url(escaped) == unquote(escaped, errors="strict")


class TestVerify:
    @pytest.fixture
    def local(self, ours):
        def local(peer: Peer):
            return replace(ours, parameters={**ours.parameters, "base_url": peer.url})

        return local

    def test_one_signed_call_tells_whose_account_it_is(self, provider, local, theirs):
        body = b"<Root><ResponseStatus><Status>OK</Status></ResponseStatus></Root>"
        with Peer(
            lambda connection, peer: (peer.read_request(connection), connection.sendall(answer("200 OK", body)))
        ) as peer:
            verified = provider.verify(local(peer), theirs, now=NOW, nonce=NONCE)
        assert len(peer.requests) == 1
        assert peer.requests[0].startswith(b"GET /customerlist.nv?keyword=0112038-9 HTTP/1.1\r\n")
        assert b"X-Netvisor-Authentication-MAC: " in peer.requests[0]
        assert (verified.account.subject, verified.credential) == ("0112038-9", theirs)

    def test_a_sender_with_letters_travels_as_it_was_signed(self, provider, local, theirs):
        body = b"<Root><ResponseStatus><Status>OK</Status></ResponseStatus></Root>"
        with Peer(answering("200 OK", body)) as peer:
            ours = local(peer)
            sender = replace(ours, parameters={**ours.parameters, "sender": "Kirjanpito Ä €"})
            provider.verify(sender, theirs, now=NOW, nonce=NONCE)
        assert b"X-Netvisor-Authentication-Sender: Kirjanpito \xc4 \xa4\r\n" in peer.requests[0]

    def test_wrong_keys_are_the_customers_turn(self, provider, local, theirs):
        body = (
            b"<Root><ResponseStatus><Status>FAILED</Status><Status>AUTHENTICATION_FAILED :: Avaimet</Status>"
            b"</ResponseStatus></Root>"
        )
        with Peer(
            lambda connection, peer: (peer.read_request(connection), connection.sendall(answer("403 Forbidden", body)))
        ) as peer:
            with pytest.raises(GrantRejected) as caught:
                provider.verify(local(peer), theirs, now=NOW, nonce=NONCE)
        assert caught.value.error == "authentication_failed"
        assert caught.value.fields == ("customer_id", "customer_key")
        assert "API-tunnisteet" in caught.value.explanation


def test_it_keeps_the_promises_of_the_interface(provider):
    assert isinstance(provider, Provider)
    assert isinstance(provider, SignsRequests)
    assert isinstance(provider, Verifies)
    assert isinstance(provider, Probes)
    assert provider.capabilities == (SIGNS_REQUESTS, VERIFIES, PROBES, HANDS_OUT_HEADERS)
