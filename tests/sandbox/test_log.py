"""The log is evidence: complete, ordered, without secrets, and it sees overlaps."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.fakes.sandbox import CLIENT_SECRET, PASSWORD, SandboxProcess, plain_client
from tests.sandbox.client import VERIFIER, Client


def test_a_whole_story_is_in_order_and_numbered(client: Client) -> None:
    tokens = client.tokens()
    client.refresh(tokens["refresh_token"])
    entries = client.sandbox.log()
    assert [(one["endpoint"], one["decision"]) for one in entries] == [
        ("authorize", "asked_person"),
        ("sign_in", "page"),
        ("sign_in", "signed_in"),
        ("consent", "page"),
        ("consent", "allowed"),
        ("token", "issued"),
        ("token", "rotated"),
    ]
    numbers = [one["number"] for one in entries]
    assert numbers == list(range(numbers[0], numbers[0] + 7))
    assert client.sandbox.log(since=numbers[-2])[0]["number"] == numbers[-1]


def test_tokens_appear_as_fingerprints_only(client: Client) -> None:
    code = client.authorize(state="secret-state")["code"]
    tokens = client.redeem(code).json()
    client.api(tokens["access_token"])
    shown = json.dumps([client.sandbox.log(), client.sandbox.grants(), client.sandbox.control("GET", "clients")])
    secrets = (code, tokens["access_token"], tokens["refresh_token"], "secret-state", VERIFIER)
    assert not [one for one in (*secrets, CLIENT_SECRET, PASSWORD) if one in shown]
    fingerprint = hashlib.sha256(tokens["refresh_token"].encode()).hexdigest()[:16]
    assert client.sandbox.log(endpoint="token")[0]["issued"]["refresh_token"] == fingerprint
    assert client.sandbox.grants()[0]["refresh_token_fingerprint"] == fingerprint


def test_overlapping_requests_of_one_grant_are_counted_on_both(client: Client) -> None:
    token = client.tokens()["refresh_token"]
    client.sandbox.set_latency(token=0.3)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: client.refresh(token), range(2)))
    grant = client.sandbox.grants()[0]["id"]
    assert [one["most_in_flight"] for one in client.sandbox.log(endpoint="token", grant=grant)[1:]] == [2, 2]


def test_one_after_the_other_is_no_overlap(client: Client) -> None:
    second = client.refresh(client.tokens()["refresh_token"]).json()
    client.refresh(second["refresh_token"])
    assert client.sandbox.control("GET", "log", endpoint="token")["overlaps"] == 0


def test_latency_is_added_and_taken_back(client: Client) -> None:
    client.sandbox.set_latency(token=0.25)
    token = client.tokens()["refresh_token"]
    assert client.sandbox.log(endpoint="token")[-1]["seconds"] >= 0.25
    client.sandbox.set_latency()
    client.refresh(token)
    assert client.sandbox.log(endpoint="token")[-1]["seconds"] < 0.25


def test_clearing_keeps_the_numbers_growing(client: Client) -> None:
    client.http.get(f"{client.sandbox.url}/one")
    last = client.sandbox.last_number()
    client.sandbox.control("DELETE", "log")
    client.http.get(f"{client.sandbox.url}/two")
    assert [(one["number"], one["reason"]) for one in client.sandbox.log()] == [(last + 1, "/two")]


def test_a_request_in_flight_is_listed_unfinished(sandbox: SandboxProcess) -> None:
    sandbox.fault("metadata", "stall", seconds=30)
    with plain_client(timeout=0.2) as http:
        with pytest.raises(httpx2.ReadTimeout):
            http.get(f"{sandbox.url}/.well-known/openid-configuration")
    assert [one["finished"] for one in sandbox.log(endpoint="metadata")] == [False]
