"""The sandbox's judges accept every published signature, and none of its neighbours."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from sandbox import fivaldi_judge, fivaldi_signature, netvisor_judge, netvisor_signature
from sandbox.netvisor_answers import NetvisorError
from sandbox.received import Received

VECTORS = Path(__file__).parents[1] / "vectors"
SENT = 1750968590.0


def vectors(name: str) -> list[Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(one, id=one["id"]) for one in found if "headers" in one["expected"]]


def on_the_wire(one: Any, url: str, encoding: str, content_type: str | None = None) -> Received:
    """The vector as a request that came in."""
    given, parts = one["inputs"], urlsplit(url)
    headers = {**one["expected"]["headers"], **({"Content-Type": content_type} if content_type else {})}
    raw = tuple((name.lower(), value.encode(encoding)) for name, value in headers.items())
    target = url[len(f"{parts.scheme}://{parts.netloc}") :]
    return Received(given["method"], parts.netloc, target, raw, (given["body"] or "").encode(), parts.scheme)


def judge_netvisor(request: Received, one: Any, signed_url: str) -> None:
    netvisor_judge.check_headers(request)
    netvisor_judge.check_times(request, SENT)
    check_netvisor(request, one, signed_url)


def check_netvisor(request: Received, one: Any, signed_url: str) -> None:
    given = one["inputs"]
    partner = netvisor_judge.Partner(given["partner_key"], signed_url)
    customer = netvisor_judge.Customer(given["customer_key"], given["organisation_id"])
    netvisor_judge.check_checksum(request, partner, customer)


@pytest.mark.parametrize("one", vectors("netvisor"))
def test_netvisor(one: Any) -> None:
    url, escaped = one["inputs"]["url"], "%" in one["inputs"]["url"]
    # What was signed raw travels escaped; what was signed escaped is signed as it travels.
    sent, signed_url = (url, "sent") if escaped else (quote(url, safe="/:?&=,"), "decoded")
    request = on_the_wire(one, sent, "iso-8859-15")
    judge_netvisor(request, one, signed_url)
    algorithm, keys = (
        one["scheme"].partition("-")[2].upper(),
        (one["inputs"]["customer_key"], one["inputs"]["partner_key"]),
    )
    signed = netvisor_signature.string_to_sign(request, algorithm, keys, signed_url)
    assert signed.decode("iso-8859-15") == one["string_to_sign"]
    for changed in neighbours(request, signed=netvisor_signature.SIGNED[algorithm] + (netvisor_signature.MAC,)):
        with pytest.raises(NetvisorError):
            check_netvisor(changed, one, signed_url)


@pytest.mark.parametrize("one", vectors("fivaldi"))
def test_fivaldi(one: Any) -> None:
    given = one["inputs"]
    request = on_the_wire(one, given["url"], "utf-8", given["content_type"])
    partner = fivaldi_judge.Partner(given["partner_secret"])
    fivaldi_judge.check_time(request, SENT)
    fivaldi_judge.check_signature(request, partner)
    assert fivaldi_signature.string_to_sign(request).decode() == one["string_to_sign"]
    own = tuple(name for name, _ in request.headers if name.startswith("x-fivaldi"))
    whole = bool(request.body) and "multipart" not in given["content_type"]
    typed = ("content-type",) if whole else ()
    for changed in neighbours(request, signed=(*own, *typed, "authorization"), body=whole):
        with pytest.raises(fivaldi_judge.Unauthorized):
            fivaldi_judge.check_signature(changed, partner)


def neighbours(request: Received, *, signed: tuple[str, ...], body: bool = False) -> list[Received]:
    """The request with one thing changed that the signature covers."""
    found = [
        replace(request, target=request.target + "x"),
        replace(request, target=request.target.replace("/", "//", 1)),
    ]
    for name in signed:
        headers = tuple((known, value[:-1] + b"~" if known == name else value) for known, value in request.headers)
        found.append(replace(request, headers=headers))
    return [*found, replace(request, body=request.body[:-1] + b"~")] if body else found


def test_a_lone_question_mark_is_no_query_at_fivaldi() -> None:
    plain, lone = (Received("GET", "h", f"/ping{end}", ()) for end in ("", "?"))
    assert fivaldi_signature.string_to_sign(plain) == fivaldi_signature.string_to_sign(lone)
