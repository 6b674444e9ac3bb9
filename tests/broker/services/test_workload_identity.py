"""Signed tokens of workloads: what is accepted, and all that is not, against keys from a real address."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from broker.services import issuer_keys
from broker.services.issuer_keys import AllPublished
from broker.services.issuer_rows import Issuer as Row
from broker.services.issuer_rows import TrustedIssuers
from broker.services.workload_identity import ALGORITHMS, LONGEST_TOKEN, TokenRefused, Verifier, identity_of
from tests.fakes.issuer import AUDIENCE, ISSUER, KINDS, Issuer, make_key, sign

ID = UUID("0d9c1f6e-5f5c-4f0e-9f0b-6f6b8f1f2c11")
OURS = UUID("7a0c5f0e-0000-4f0e-9f0b-6f6b8f1f2c11")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def demo(settings: object) -> None:
    settings.ALLOW_LOOPBACK_PROVIDERS = True


def row_of(issuer: Issuer, **changed: object) -> Row:
    terms = {
        "id": ID,
        "name": "test",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": frozenset({issuer.algorithm}),
        "jwks_uri": issuer.jwks_uri,
        "jwks": "",
        "max_life_seconds": 3600,
    }
    return Row(**{**terms, **changed})


def verifier_of(*rows: Row, **more: float) -> Verifier:
    return Verifier(TrustedIssuers(lambda: rows), AllPublished(issuer_keys.fetch), **more)


@pytest.fixture
def verifier(issuer: Issuer, demo: None) -> Verifier:
    return verifier_of(row_of(issuer))


# The shapes that the issuers document, with made-up values.
CLAIMS = {
    "kubernetes": {
        "aud": ["broker", "https://kubernetes.default.svc"],
        "sub": "system:serviceaccount:billing:invoicing",
        "jti": "5f4f2c1e-0f6d-4a4e-8f0b-1f2c11aa0000",
        "kubernetes.io": {
            "namespace": "billing",
            "pod": {"name": "invoicing-6f7c", "uid": "5e0c1a2b-0000-4f0e-9f0b-6f6b8f1f2c11"},
            "serviceaccount": {"name": "invoicing", "uid": "6e0c1a2b-0000-4f0e-9f0b-6f6b8f1f2c11"},
        },
    },
    "github": {
        "sub": "repo:acme/invoicing:ref:refs/heads/main",
        "repository": "acme/invoicing",
        "repository_owner": "acme",
        "workflow": "nightly",
        "run_id": "4711",
    },
    "google": {"sub": "103547991597142817347", "azp": "103547991597142817347", "email": "i@acme.example"},
    "azure": {
        "sub": "8d0c1a2b-0000-4f0e-9f0b-6f6b8f1f2c11",
        "oid": "8d0c1a2b-0000-4f0e-9f0b-6f6b8f1f2c11",
        "tid": "9d0c1a2b-0000-4f0e-9f0b-6f6b8f1f2c11",
        "ver": "2.0",
    },
    "spiffe": {"sub": "spiffe://acme.example/ns/billing/sa/invoicing", "aud": ["broker"], "iat": None},
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_the_tokens_that_platforms_give_their_workloads(kind: str, issuer: Issuer, verifier: Verifier) -> None:
    # Kubernetes and Google leave out the type, SPIFFE may call it JOSE; Azure and GitHub repeat the key's thumbprint.
    header = {"kubernetes": {"typ": None}, "spiffe": {"typ": "JOSE"}, "azure": {"x5t": "first"}}.get(kind, {})
    proven = verifier.verify(issuer.token(header=header, **CLAIMS[kind]), now=time.time())
    assert proven == identity_of(ID, CLAIMS[kind]["sub"])
    assert (len(proven.key_id), proven.key_id[:3], len(proven.secret_hash)) == (35, "wi:", 32)


def test_two_subjects_and_two_issuers_are_never_one() -> None:
    names = [identity_of(ID, "a"), identity_of(ID, "b"), identity_of(OURS, "a")]
    assert len({each.key_id for each in names}) == len({each.secret_hash for each in names}) == 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_that_can_be_configured_works(algorithm: str) -> None:
    signer = Issuer.__new__(Issuer)
    signer.algorithm, signer.key, signer.jwks_uri = algorithm, make_key(algorithm, "first"), ""
    pinned = json.dumps({"keys": [signer.key.as_dict(private=False)]})
    verifier = verifier_of(row_of(signer, jwks=pinned, jwks_uri=""))
    good = signer.token()
    assert verifier.verify(good, now=time.time()) == identity_of(ID, "workload")
    head, body, signature = good.split(".")
    for broken in (f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body}."):
        with pytest.raises(TokenRefused, match="signature"):
            verifier.verify(broken, now=time.time())


def test_symmetric_ones_and_none_cannot_be_configured() -> None:
    assert set(ALGORITHMS) == set(KINDS)
    assert not [name for name in ALGORITHMS if name.startswith("HS") or name.lower() == "none"]


NOW = int(time.time())
REFUSED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "issuer": ({"iss": "https://other.example"}, {}),
    "issuer, nearly": ({"iss": f"{ISSUER}/"}, {}),
    "no issuer": ({"iss": None}, {}),
    "an issuer that is a list": ({"iss": [ISSUER]}, {}),
    "audience": ({"aud": "somebody"}, {}),
    "audiences": ({"aud": ["somebody", "else"]}, {}),
    "no audience": ({"aud": None}, {}),
    "an audience that is an object": ({"aud": {"broker": True}}, {}),
    "expired": ({"exp": NOW - 1, "iat": NOW - 60}, {}),
    "no expiry": ({"exp": None}, {}),
    "an expiry in words": ({"exp": "tomorrow"}, {}),
    "an expiry that is true": ({"exp": True}, {}),
    "an expiry without end": ({"exp": float("inf")}, {}),
    "an expiry that is no number": ({"exp": float("nan")}, {}),
    "an expiry of four hundred digits": ({"exp": 10**400}, {}),
    "a long life": ({"exp": NOW + 7200}, {}),
    "a long life, and no beginning": ({"exp": NOW + 7200, "iat": None}, {}),
    "issued in the future": ({"iat": NOW + 300}, {}),
    "not yet valid": ({"nbf": NOW + 300}, {}),
    "not yet valid, in words": ({"nbf": "tomorrow"}, {}),
    "a beginning that is true": ({"nbf": True}, {}),
    "no subject": ({"sub": None}, {}),
    "an empty subject": ({"sub": ""}, {}),
    "a subject that is a number": ({"sub": 4711}, {}),
    "a long subject": ({"sub": "s" * 301}, {}),
    "another key id": ({}, {"kid": "second"}),
    "no key id": ({}, {"kid": None}),
    "a key id that is a number": ({}, {"kid": 1}),
    "another algorithm of the same key kind": ({}, {"alg": "ES384"}),
    "an extension that must be understood": ({}, {"crit": ["exp"], "exp": 1}),
    "an extension that is one by name only": ({}, {"crit": ["kid"]}),
    "a payload that may not be encoded": ({}, {"crit": ["b64"], "b64": True}),
    "a payload that is not encoded": ({}, {"crit": ["b64"], "b64": False}),
    "a security event": ({}, {"typ": "secevent+jwt"}),
    "a proof of possession": ({}, {"typ": "dpop+jwt"}),
    "a type that is a list": ({}, {"typ": ["JWT"]}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_anything_else_is_refused(what: str, issuer: Issuer, verifier: Verifier) -> None:
    claims, header = REFUSED[what]
    whole = {"alg": "ES256", "kid": "first", "typ": "JWT", **header}
    whole = {name: value for name, value in whole.items() if value is not None}
    now = {"iat": NOW, "exp": NOW + 600}
    payload = json.dumps(issuer.claims(**{**now, **claims})).encode()
    key = make_key("ES384", "first") if whole["alg"] == "ES384" else issuer.key
    with pytest.raises(TokenRefused):
        verifier.verify(sign(whole, payload, key), now=NOW)
    assert verifier.verify(issuer.token(**now), now=NOW), "the same without it is good"


def test_leeway_is_for_clocks_that_are_ahead_and_not_for_tokens_that_have_ended(
    issuer: Issuer, verifier: Verifier
) -> None:
    assert verifier.verify(issuer.token(iat=NOW + 59, nbf=NOW + 59, exp=NOW + 600), now=NOW)
    with pytest.raises(TokenRefused, match="not yet valid"):
        verifier.verify(issuer.token(nbf=NOW + 62, exp=NOW + 600), now=NOW)
    assert verifier.verify(issuer.token(exp=NOW + 2, iat=NOW), now=NOW)
    with pytest.raises(TokenRefused, match="expired"):
        verifier.verify(issuer.token(exp=NOW + 2, iat=NOW), now=NOW + 2)


def test_a_key_of_the_sender_s_own_is_not_used(issuer: Issuer, verifier: Verifier) -> None:
    own = make_key("ES256", "first")
    for header in (
        {"jwk": own.as_dict(private=False)},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://x.example"},
    ):
        with pytest.raises(TokenRefused, match="signature"):
            verifier.verify(issuer.token(header=header, key=own), now=time.time())


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "none"])
def test_the_public_key_is_no_secret_and_no_signature_is_none(algorithm: str, demo: None) -> None:
    with Issuer("RS256") as issuer:
        verifier = verifier_of(row_of(issuer))
        payload = json.dumps(issuer.claims()).encode()
        for secret in (issuer.key.as_pem(private=False), issuer.key.as_bytes(encoding="DER", private=False)):
            key = None if algorithm == "none" else secret
            with pytest.raises(TokenRefused):
                verifier.verify(sign({"alg": algorithm, "kid": "first", "typ": "JWT"}, payload, key), now=time.time())
        assert verifier.verify(issuer.token(), now=time.time())


def test_an_algorithm_that_somebody_wrote_into_the_row_is_refused_all_the_same(demo: None) -> None:
    with Issuer("RS256") as issuer:
        pem = issuer.key.as_pem(private=False)
        verifier = verifier_of(row_of(issuer, algorithms=frozenset({"HS256", "none", "RS256"})))
        payload = json.dumps(issuer.claims()).encode()
        forged = sign({"alg": "HS256", "kid": "first"}, payload, pem)
        for token in (forged, sign({"alg": "none", "kid": "first"}, payload, None)):
            with pytest.raises(TokenRefused):
                verifier.verify(token, now=time.time())


@pytest.mark.parametrize(
    "token",
    [
        "..",
        "a.b.c",
        "e30.e30.e30",
        "bnVsbA.bnVsbA.e30",
        "W10.W10.e30",
        f"{'[' * 2000}.e30.e30",
        f"e30.{'W1tb' * 1500}.e30",
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOnt9fQ.",
        "å.ß.ç",
        "\ud800.b.c",
        "a" * (LONGEST_TOKEN + 1) + ".b.c",
    ],
)
def test_rubbish_is_refused_and_nothing_worse(token: str, verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(token, now=time.time())


class TestRemembered:
    def test_a_good_token_is_verified_once_and_ends_on_time(self, issuer: Issuer, demo: None) -> None:
        rows = [row_of(issuer)]
        published = AllPublished(issuer_keys.fetch)
        verifier = Verifier(TrustedIssuers(lambda: rows), published, remember_seconds=300)
        token = issuer.token(iat=NOW, exp=NOW + 600)
        assert verifier.verify(token, now=NOW)
        # Without its keys, only what is remembered is good.
        published._by_address.clear()
        published._fetch = _no_keys
        assert verifier.verify(token, now=NOW + 299)
        with pytest.raises(TokenRefused):
            verifier.verify(token, now=NOW + 301)

    def test_never_longer_than_the_token_lives(self, issuer: Issuer, verifier: Verifier) -> None:
        token = issuer.token(iat=NOW, exp=NOW + 30)
        assert verifier.verify(token, now=NOW)
        with pytest.raises(TokenRefused, match="expired"):
            verifier.verify(token, now=NOW + 30)

    def test_not_beyond_a_change_of_the_issuer(self, issuer: Issuer, demo: None) -> None:
        rows, clock = [row_of(issuer)], [0.0]
        verifier = Verifier(TrustedIssuers(lambda: rows, lambda: clock[0]), AllPublished(issuer_keys.fetch))
        token = issuer.token()
        assert verifier.verify(token, now=time.time())
        for changed in ([replace(rows[0], audience="another")], []):
            rows[:], clock[0] = changed, clock[0] + 2.0
            with pytest.raises(TokenRefused):
                verifier.verify(token, now=time.time())

    def test_only_so_many(self, issuer: Issuer, demo: None) -> None:
        verifier = verifier_of(row_of(issuer), remember_tokens=3)
        for n in range(5):
            verifier.verify(issuer.token(jti=str(n)), now=time.time())
        assert len(verifier._good) == 3


def _no_keys(_address: str) -> bytes:
    return b'{"keys": []}'
