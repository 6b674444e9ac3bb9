"""Values that no honest client sends; {key} stands for a good API key."""

from tests.journeys.judging import Header

ODD_IDS = [
    "0", "-", "not-a-uuid", "z" * 36, "%00", "a%00b", "%ff%fe", "%C3%A4", "%F0%9F%92%A9", "%0d%0aX:1",
    "..%2f..%2fadmin",
    "%2e%2e", "'%20OR%201=1--", "{connection_id}", "%7B%7D", "x" * 4000, "%25", "%zz",
    "00000000-0000-0000-0000-000000000000",
    "urn:uuid:00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "NaN", "-1", "1e999",
]  # fmt: skip
ODD_AUTHORIZATIONS: list[str | bytes] = [
    "", "Bearer", "Bearer ", "Bearer  ", "Basic YTpi", "bearer", "Bearer null", "Bearer {key} {key}", "Bearer {key}x",
    "Bearer {key},Bearer {key}", "{key}", "Token {key}", "Bearer brk_test_a_b_c", "Bearer " + "brk_" * 1500,
    b"Bearer brk_test_\xff\xfe", b"Bearer \xc3\xa4", "Bearer brk_production_000000000000_" + "0" * 43 + "_00000000",
]  # fmt: skip
REPEATED_QUERIES = [
    "limit=1&limit=2", "min_ttl=1&min_ttl=1", "cursor=a&cursor=b", "tenant=aalto&tenant=birch", "label=a&label=b",
]  # fmt: skip
ODD_QUERIES = [
    "limit=0", "limit=-1", "limit=1e3", "limit=99999999999999999999", "limit=", "limit=%00", "limit=NaN", "limit=true",
    "min_ttl=-1", "min_ttl=1.5", "min_ttl=999999", "min_ttl=%D9%A1", "min_ttl=", "min_ttl=1e9999", "min_ttl=0x10",
    "cursor=x", "cursor=%00", "cursor=%ff", "cursor=W10=", "cursor=WzEsMl0=", "cursor=" + "W" * 4000, "cursor=bnVsbA==",
    "cursor=WyIyMDI2LTAxLTAxIiwgIngiXQ==", "cursor=WyI5OTk5LTEyLTMxVDIzOjU5OjU5LjkrMDA6MDAiLCAiIl0=",
    "state=x", "state=%00", "tenant=%00", "provider=%00", "provider=%ff", "tenant=" + "x" * 4000, "label=%00",
    "label=%ff",
    "unknown=1", "&&&", "=", "%", "%ff=%ff", "a=1;b=2", "&".join(f"p{number}=1" for number in range(1500)),
]  # fmt: skip
BROKEN_JSON = [
    b"", b" ", b"{", b"}", b"nul", b"\xff\xfe", b"\xef\xbb\xbf{}", b"\x00", b"{'a': 1}", b'{"a": 1,}', b"NaN",
    b"Infinity",
    b'{"status": NaN, "version": 1}', b'{"status": 401, "version": -Infinity}', b'{"a": 1}{"b": 2}',
    b'{"\xed\xa0\x80": 1}',
    b'{"status": 401, "status": 403, "version": 1}', b'{"tenant": "aalto", "tenant": "birch", "providers": ["x"]}',
    b'{"a": {"b": 1, "b": 2}}', b"[" * 100_000, b'{"a":' * 50_000, b'{"version": ' + b"9" * 5000 + b', "status": 403}',
]  # fmt: skip
ODD_VALUES: list[object] = [
    None, True, 0, -1, 1.5, 2**63, 10**400, "", "\x00", "\ud800", "\u202e", "x" * 5000, [], {}, [None], [[]],
    {"a": 1}, ["\x00"],
    "visma-eaccounting\x00", "../etc", "javascript:alert(1)", "https://evil.example/", "//evil.example", "%00",
]  # fmt: skip
OTHER_TYPES: list[str] = [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "x",
    "\xe4",
    "application/json; charset=utf-16", "application/json; charset=nonsense", "application/xml", "",
]  # fmt: skip
ODD_HEADERS: list[tuple[Header, ...]] = [
    (("Host", "evil.example"),),
    (("Host", "a b"),),
    (("Host", "127.0.0.1:99999"),),
    (("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"), ("Forwarded", "host=evil.example")),
    (("X-HTTP-Method-Override", "DELETE"),),
    (("Cookie", "demo-session=x; demo-csrf=" + "y" * 3000),),
    (("Cookie", b"\xff\xfe=\x80"),),
    (("Accept", "image/png"), ("Accept-Language", "x" * 3000), ("Accept-Encoding", "nonsense")),
    (("Content-Encoding", "gzip"),),
    (("Expect", "100-continue"),),
    (("Origin", "null"), ("Referer", "https://evil.example/")),
    (("Range", "bytes=0-0"), ("If-None-Match", "*"), ("If-Modified-Since", "yesterday")),
    (("Upgrade", "websocket"), ("Connection", "Upgrade")),
    (("X-Long", "x" * 6000),),
    tuple((f"X-Many-{number}", "x") for number in range(60)),
]
