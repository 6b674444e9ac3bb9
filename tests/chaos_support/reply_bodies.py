"""Bodies of malformed token replies, one recipe a kind; and which of them truly refuse a grant, judged anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

from providers.definition import Quirks
from providers.messages import HttpResponse

Body = Callable[[Random, str], bytes]
_NAMES = ("access_token", "refresh_token", "token_type", "expires_in", "scope", "id_token", "error", "expires_at")
_MORE = ("error_description", "error_uri", "token", "value", "Code", "Text", "Ref", "", "\x00", "é" * 40, "x" * 3000)
_CODES = (
    *("invalid_grant", "invalid_grant", "invalid_client", "invalid_scope", "invalid_request", "server_error"),
    *("temporarily_unavailable", "invalid_code", "Invalid_Grant", "invalid_grant ", "INVALID_GRANT", "odd", ""),
)
_NUMBERS = (
    *(0, -1, 1, 59, 3600, 10**9, 10**30, -(10**30), 2**63, -(2**63) - 1, 1e308, -1e308, 1.5, True, False),
    *("3600", "-3600", " 3600", "3600.0", "1e3", "٣٦٠٠", "0x10", "NaN", "Infinity", "9" * 5000, ""),
)
# Not what Python's own writer would make: put into the text in place of a member's value.
_RAW_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "9" * 4301, "-" + "9" * 6000, "01", "+1")
_CHARACTERS = (
    "\x00",
    "\r\nX: y",
    " ",
    "\t",
    "\x7f",
    "\x85",
    "é",
    "\u202e",
    "\ufeff",
    "\ud800",
    "😀",
    '"',
    "\\",
    "\u2028",
)
_CHARSETS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "utf-7", "cp1252", "shift_jis", "ebcdic-cp-us")
_REFUSED, _THROTTLED = range(400, 500), (408, 429)


def good(secret: str) -> dict[str, Any]:
    """What a token endpoint should answer."""
    return {
        "access_token": secret,
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": f"r-{secret}",
        "scope": "api read",
    }


def value(random: Random, secret: str, depth: int = 0) -> Any:
    """Anything that JSON can hold, and some of it that it should not."""
    plain = (
        *(None, True, random.choice(_NUMBERS), random.choice(_CODES), secret, f"{secret}{random.choice(_CHARACTERS)}"),
        *("Bearer", "DPoP", "bearer", random.choice(_CHARACTERS) * random.randrange(1, 50)),
    )
    if depth > 2 or random.random() < 0.8:
        return random.choice(plain)
    inner = [value(random, secret, depth + 1) for _ in range(random.randrange(4))]
    return inner if random.random() < 0.5 else {random.choice(_NAMES + _MORE): each for each in inner}


def _text(members: Any) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "surrogatepass")


def nearly_good(random: Random, secret: str) -> bytes:
    members = good(secret)
    for _ in range(random.randrange(3)):
        members[random.choice(_NAMES)] = value(random, secret)
    if random.random() < 0.3:
        members.pop(random.choice(tuple(members)))
    return json.dumps(members).encode() if random.random() < 0.5 else _text(members)


def odd_number(random: Random, secret: str) -> bytes:
    members = {**good(secret), random.choice(_NAMES): "PLACE"}
    return json.dumps(members).replace('"PLACE"', random.choice(_RAW_NUMBERS)).encode()


def refusal(random: Random, secret: str) -> bytes:
    members = {"error": random.choice(_CODES), "error_description": f"no {secret}"}
    if random.random() < 0.5:
        members[random.choice(_NAMES + _MORE)] = value(random, secret)
    return _text(members)


def error_of_a_wrong_type(random: Random, secret: str) -> bytes:
    odd = [["invalid_grant"], {"error": "invalid_grant"}, {"code": "invalid_grant"}, 1107, True, None, [[]], 10**40]
    return _text({"error": random.choice(odd), "error_description": value(random, secret)})


def error_beside_tokens(random: Random, secret: str) -> bytes:
    return _text({**good(secret), "error": random.choice(_CODES), "error_description": secret})


def anything(random: Random, secret: str) -> bytes:
    names = _NAMES + _MORE
    made = {random.choice(names): value(random, secret) for _ in range(random.randrange(8))}
    return _text(random.choice((made, [made], [[made]], value(random, secret))))


def repeated_key(random: Random, secret: str) -> bytes:
    name = random.choice(_NAMES)
    once, twice = (json.dumps({name: value(random, secret)})[1:-1] for _ in range(2))
    first = json.dumps(random.choice((good(secret), {"error": "invalid_grant"})))[1:-1]
    return f"{{{once}, {first}, {twice}}}".encode("utf-8", "surrogatepass")


def deep(random: Random, secret: str) -> bytes:
    times = random.choice((15, 16, 17, 900, 1100, 20_000, 130_000))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}"), ('{"error":', "}"), ('[{"error":', "}]")))
    closed = random.random() < 0.5
    inner = json.dumps(random.choice(("invalid_grant", secret)))
    text = opening * times + inner + closing * times * closed
    return f'{{"access_token": "{secret}", "more": {text}}}'.encode() if random.random() < 0.3 else text.encode()


def huge(random: Random, secret: str) -> bytes:
    return random.choice((_long_array, _wide_object, _many_scopes, _long_code))(random, secret)


def _long_array(random: Random, secret: str) -> bytes:
    fill = random.choice(("1,", '"",', "{},", '"é",', f'"{secret}",', " "))
    many = fill * (random.choice((30_000, 262_144)) // len(fill))
    whole = f'{{"access_token": "{secret}", "token_type": "bearer", "more": [{many}0]}}'
    return random.choice((whole, many)).encode()


def _wide_object(random: Random, secret: str) -> bytes:
    return json.dumps({**good(secret), **{f"m{number}": number for number in range(8000)}}).encode()


def _many_scopes(random: Random, secret: str) -> bytes:
    scopes = " ".join(f"scope{number}" for number in range(20_000))
    return json.dumps({**good(secret), "scope": random.choice((scopes, "s" * 100_000))}).encode()


def _long_code(random: Random, secret: str) -> bytes:
    return json.dumps({"error": "invalid_grant" + "x" * 100_000}).encode()


def other_charset(random: Random, secret: str) -> bytes:
    members = random.choice((good(secret), {"error": "invalid_grant", "error_description": f"é {secret}"}))
    text = json.dumps(members, ensure_ascii=False)
    try:
        return text.encode(random.choice(_CHARSETS))
    except (LookupError, UnicodeEncodeError):
        return b"\xef\xbb\xbf" * 2 + text.encode()


def damaged(random: Random, secret: str) -> bytes:
    body = bytearray(random.choice((nearly_good, refusal, form))(random, secret))
    for _ in range(random.randrange(1, 6)):
        start = random.randrange(len(body) + 1)
        body[start : start + random.randrange(6)] = random.randbytes(random.randrange(4))
    return bytes(body)


def cut(random: Random, secret: str) -> bytes:
    body = random.choice((nearly_good, refusal, form))(random, secret)
    return body[: random.randrange(len(body) + 1)]


def form(random: Random, secret: str) -> bytes:
    members = random.choice((good(secret), {"error": random.choice(_CODES)}))
    pairs = [*members.items(), *([("error", "invalid_grant")] * (random.random() < 0.2))]
    return urlencode(pairs).encode() + random.choice((b"", b"", b"&", b"&x", b"&%ff=%00", b"&a=b" * 100))


def page(random: Random, secret: str) -> bytes:
    title = random.choice(("Sign in", "invalid_grant", secret, "502 Bad Gateway"))
    return f'<!doctype html><title>{title}</title><script>{{"error": "invalid_grant"}}</script>'.encode()


def nothing(random: Random, secret: str) -> bytes:
    lone = (b"", b" ", b"\n", b"null", b"true", b"0", b'""', b"[]", b"{}", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"OK")
    return random.choice((*lone, secret.encode(), f'"{secret}"'.encode()))


def noise(random: Random, secret: str) -> bytes:
    return random.randbytes(random.randrange(400)) + secret.encode() * random.randrange(2)


BODIES: tuple[Body, ...] = (
    *(
        nearly_good,
        nearly_good,
        odd_number,
        refusal,
        refusal,
        error_of_a_wrong_type,
        error_beside_tokens,
        anything,
        repeated_key,
        deep,
    ),
    *(huge, other_charset, damaged, cut, form, page, nothing, noise),
)


def well_formed_refusal(quirks: Quirks, response: HttpResponse) -> bool:
    """Whether an answer refuses the grant beyond doubt: a 4xx with one object whose `error` says so, and no token.

    Written without the code under test, so that both have to be wrong in the same way to agree.
    """
    members = _members(quirks, response.body)
    if members is None or response.status not in _REFUSED or response.status in _THROTTLED:
        return False
    code = members.get("error")
    if not isinstance(code, str) or quirks.error_aliases.get(code, code) != "invalid_grant":
        return False
    return not _inner(quirks, members).get(quirks.access_token_member)


def _inner(quirks: Quirks, members: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = members
    for step in quirks.token_response_path.split(".") if quirks.token_response_path else ():
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else members


def _members(quirks: Quirks, body: bytes) -> dict[str, Any] | None:
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        repeated.extend(["key"] * (len(pairs) - len(members)))
        return members

    try:
        found = json.loads(body.decode("utf-8-sig"), object_pairs_hook=once, parse_constant=repeated.append)
        if isinstance(found, dict) and not repeated and _depth(found) <= 17:
            return found
    except (ValueError, RecursionError):
        pass
    return _form_members(body) if quirks.token_response_form_encoded else None


def _depth(found: Any) -> int:
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _form_members(body: bytes) -> dict[str, Any] | None:
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=64)
    except ValueError:
        return None
    return dict(pairs) if pairs and len(dict(pairs)) == len(pairs) else None
