"""The keyring: read strictly, chosen by version, silent about its keys."""

import base64
import hashlib

import pytest

from tenants import keyring
from tenants.errors import KeyringInvalid, KeyUnavailable, SealBroken

CONTEXT = b"whose key it is"


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


# The same in every process of a test run: they are part of the tests' names.
BYTES = hashlib.shake_256(b"keys of these tests").digest(64)
FIRST, SECOND = encoded(BYTES[:32]), encoded(BYTES[32:])


@pytest.mark.parametrize(
    "text",
    [
        f"v1:{FIRST}\nv2:{SECOND}",
        f"v1:{FIRST},v2:{SECOND}",
        f"\n  v1:{FIRST}  \r\n\n# made in spring\nv2:{SECOND}\n",
    ],
)
def test_lines_and_commas_read_alike_and_the_last_one_wraps(text):
    ring = keyring.parse(text)
    assert (ring.versions, ring.newest) == (("v1", "v2"), "v2")
    assert ring.wrap(bytes(32), CONTEXT)[0] == "v2"


def test_an_older_version_unwraps_what_it_wrapped():
    version, wrapped = keyring.parse(f"v1:{FIRST}").wrap(b"data key", CONTEXT)
    both = keyring.parse(f"v1:{FIRST}\nv2:{SECOND}")
    assert both.unwrap(version, wrapped, CONTEXT) == b"data key"


def test_a_version_that_is_not_there_is_named_and_no_other_is_tried():
    _, wrapped = keyring.parse(f"v1:{FIRST}").wrap(b"data key", CONTEXT)
    with pytest.raises(KeyUnavailable, match="'v1'"):
        keyring.parse(f"v2:{FIRST}").unwrap("v1", wrapped, CONTEXT)
    with pytest.raises(SealBroken):
        keyring.parse(f"v1:{FIRST}\nv2:{SECOND}").unwrap("v2", wrapped, CONTEXT)


@pytest.mark.parametrize("length", [0, 5, 12, 13, 27])
def test_a_truncated_wrapped_key_is_a_broken_seal(length):
    version, wrapped = keyring.parse(f"v1:{FIRST}").wrap(bytes(32), CONTEXT)
    with pytest.raises(SealBroken):
        keyring.parse(f"v1:{FIRST}").unwrap(version, wrapped[:length], CONTEXT)


def test_another_context_does_not_open():
    ring = keyring.parse(f"v1:{FIRST}")
    with pytest.raises(SealBroken):
        ring.unwrap(*ring.wrap(bytes(32), CONTEXT), b"somebody else's")


def test_the_same_key_is_wrapped_differently_each_time():
    ring = keyring.parse(f"v1:{FIRST}")
    assert ring.wrap(bytes(32), CONTEXT) != ring.wrap(bytes(32), CONTEXT)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("\n# nothing\n", "empty"),
        (FIRST, "entry 1 is not of the form"),
        (f":{FIRST}", "entry 1 is not of the form"),
        (f"{'v' * 33}:{FIRST}", "entry 1 is not of the form"),
        (f"v 1:{FIRST}", "entry 1 is not of the form"),
        (f"v1:{FIRST}\nv2:not base64!", "entry 2 ('v2') is not base64"),
        (f"v1:{FIRST[:-5]}ä", "entry 1 ('v1') is not base64"),
        (f"v1:{encoded(BYTES[:16])}", "holds 16 bytes; expected 32"),
        (f"v1:{encoded(BYTES[:33])}", "holds 33 bytes; expected 32"),
        ("v1:", "holds 0 bytes; expected 32"),
        (f"v1:{FIRST}\nv1:{SECOND}", "entry 2: version 'v1' appears twice"),
        (f"v1:{FIRST}\nv2:{FIRST}", "entry 2 ('v2') is an earlier version's key again"),
        (f"v1:{encoded(b'a' * 32)}", "entry 1 ('v1') is not random"),
    ],
)
def test_what_cannot_be_used_is_refused_by_line_without_showing_it(text, says):
    with pytest.raises(KeyringInvalid) as refused:
        keyring.parse(text)
    assert says in str(refused.value)
    assert FIRST not in str(refused.value)
    assert SECOND not in str(refused.value)


def test_a_keyring_does_not_show_its_keys():
    raw = base64.b64decode(FIRST)
    shown = repr(keyring.parse(f"v1:{FIRST}"))
    assert "v1" in shown
    assert not any(text in shown for text in (FIRST, raw.hex(), repr(raw), "AESGCM"))
