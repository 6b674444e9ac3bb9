from __future__ import annotations

import base64
import hashlib

import pytest

from providers.errors import RequestRefused
from providers.protocol.request_to_sign import read_request

CANARY = "canary-5f2c"
BODY = '{"name":"Mäki"}'
MD5, SHA256 = (hashlib.new(name, BODY.encode()).hexdigest() for name in ("md5", "sha256"))


def read(**given: object):
    return read_request(method="POST", url="https://api.example/x", **given)


def test_text_stands_for_its_utf_8_bytes():
    assert read(body=BODY).body == read(body_base64=base64.b64encode(BODY.encode()).decode()).body == BODY.encode()


@pytest.mark.parametrize("digest", [MD5, SHA256, MD5.upper()])
def test_a_digest_beside_a_body_is_compared(digest):
    request = read(body=BODY, body_digest=digest)
    assert (request.body, request.body_digest) == (BODY.encode(), None)


def test_a_digest_alone_stays():
    assert (read(body_digest=MD5.upper()).body, read(body_digest=MD5.upper()).body_digest) == (None, MD5)


def test_the_content_type_may_come_as_a_header():
    assert read(headers={"content-TYPE": "a/b"}).content_type == "a/b"
    assert read(headers={"Content-Type": "a/b"}, content_type="a/b").content_type == "a/b"


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({"body": "a", "body_base64": "YQ=="}, "body_base64", "given_twice"),
        ({"body_base64": CANARY}, "body_base64", "not_base64"),
        ({"body_base64": "YQ"}, "body_base64", "not_base64"),
        ({"body_base64": "Y Q=="}, "body_base64", "not_base64"),
        ({"body_base64": "ä"}, "body_base64", "not_base64"),
        ({"body": "a\ud800"}, "body", "not_unicode"),
        ({"body": BODY + " ", "body_digest": MD5}, "body_digest", "digest_mismatch"),
        ({"body": BODY + " ", "body_digest": SHA256}, "body_digest", "digest_mismatch"),
        ({"body": "", "body_digest": MD5}, "body_digest", "digest_mismatch"),
        ({"body_digest": SHA256}, "body_digest", "digest_not_md5"),
        ({"body_digest": CANARY}, "body_digest", "not_a_digest"),
        ({"body_digest": MD5[:-1]}, "body_digest", "not_a_digest"),
        ({"body_digest": "ä" * 32}, "body_digest", "not_a_digest"),
        ({"headers": {"Content-Type": "a/b"}, "content_type": "c/d"}, "content_type", "given_twice"),
        ({"headers": {"A B": "x"}}, "headers", "header_name"),
        ({"headers": {"A\r\nB": "x"}}, "headers", "header_name"),
        ({"headers": {"": "x"}}, "headers", "header_name"),
        ({"headers": {"A": "x\r\nB: y"}}, "headers.A", "control_character"),
        ({"headers": {"A": " x"}}, "headers.A", "space_around"),
        ({"content_type": "a/b\n"}, "content_type", "control_character"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name_and_not_repeated(given, field, problem):
    with pytest.raises(RequestRefused) as caught:
        read(**given)
    assert (caught.value.field, caught.value.problem) == (field, problem)
    assert CANARY not in str(caught.value)
