"""Token replies of every malformed kind, by the hundred thousand, and what must hold of how each is judged.

    print(run(100_000, seed=1))

No crash, no wrong blame, no secret in what is raised, little memory: an AssertionError names the seed and the number of
the reply that broke a rule.
"""

from __future__ import annotations

import dataclasses
import json
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from msgspec.structs import replace

from providers.definition import ProviderDefinition, Quirks
from providers.errors import ClientRejected, GrantRejected, ProviderUnavailable, ResponseMalformed
from providers.messages import HttpResponse, TokenResponse
from providers.protocol.token_endpoint import process_response
from tests.chaos_support.reply_bodies import BODIES, well_formed_refusal
from tests.chaos_support.reply_heads import headers, status
from tests.providers.definitions import plain_definition

EXPECTED = (GrantRejected, ClientRejected, ProviderUnavailable, ResponseMalformed)
# What the outbound door lets through at most.
LARGEST_BODY = 262_144
# A body is held as bytes, as text and as values; none of the three may multiply it without end.
PEAK_BYTES = 40 * LARGEST_BODY
_LONGEST_LIFE = 86400
# Measuring memory makes judging ten times as slow.
_MEASURED_EACH = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a token endpoint. kind is the recipe it was made by, secret a text that no error may show."""

    kind: str
    response: HttpResponse
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of so many replies. Units: bytes, seconds."""

    count: int
    kinds: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    peak_bytes: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        told = ", ".join(f"{name} {number}" for name, number in sorted(self.verdicts.items()))
        return f"{self.count} replies of {len(self.kinds)} kinds: {told}; peak {self.peak_bytes / 2**20:.1f} MiB"


def definitions() -> list[ProviderDefinition]:
    """The readings that a catalogue can ask for."""
    plain = plain_definition()
    quirky = [
        Quirks(token_response_form_encoded=True),
        Quirks(token_response_path="value.token", access_token_member="token", token_type_may_be_absent=True),
        Quirks(expires_at_member="expires_at", error_aliases={"invalid_code": "invalid_grant"}),
    ]
    # The usual reading as often as all others together.
    return [plain] * len(quirky) + [replace(plain, quirks=each) for each in quirky]


def replies(count: int, seed: int) -> list[Reply]:
    """So many replies; the same ones for the same seed."""
    return [reply(Random(f"{seed}:{number}")) for number in range(count)]


def reply(random: Random) -> Reply:
    """One reply."""
    secret = f"canary{random.getrandbits(160):040x}"
    recipe = random.choice(BODIES)
    body = recipe(random, secret)
    response = HttpResponse(status=status(random), headers=headers(random, secret), body=body[:LARGEST_BODY])
    return Reply(kind=recipe.__name__, response=response, secret=secret)


def run(count: int, seed: int) -> Summary:
    """Judge so many replies, each as every definition would.

    Raises: AssertionError for the first that breaks a rule.
    """
    readings = definitions()
    kinds: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    started, peak = time.monotonic(), 0
    for number in range(count):
        made, reading = reply(Random(f"{seed}:{number}")), readings[number % len(readings)]
        judge = partial(_checked, reading, made, f"seed {seed}, reply {number}")
        if number % _MEASURED_EACH == 0:
            peak = max(peak, _peak_of(judge))
        verdicts[judge()] += 1
        kinds[made.kind] += 1
    assert peak < PEAK_BYTES, f"{peak} bytes for one reply"
    took = round(time.monotonic() - started, 1)
    return Summary(count=count, kinds=kinds, verdicts=verdicts, peak_bytes=peak, seconds=took)


def _peak_of(judge: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        judge()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _checked(definition: ProviderDefinition, made: Reply, place: str) -> str:
    try:
        return check(definition, made)
    except Exception as error:
        error.add_note(f"{place}: {made.kind}, status {made.response.status}")
        raise


def check(definition: ProviderDefinition, made: Reply) -> str:
    """How one reply is judged, by the name of its class.

    Raises: AssertionError when a rule is broken, and whatever process_response should not.
    """
    try:
        found = process_response(definition, made.response)
    except EXPECTED as error:
        _check_error(definition, made, error)
        return type(error).__name__
    _check_tokens(made, found)
    return type(found).__name__


def _check_error(definition: ProviderDefinition, made: Reply, error: Exception) -> None:
    assert isinstance(error, GrantRejected) == well_formed_refusal(definition.quirks, made.response), "the customer"
    assert error.__context__ is None or not _shows(made.secret, repr(error.__context__))
    told = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert not _shows(made.secret, told), "a secret shows"
    assert len(str(error)) < 1000
    if isinstance(error, ProviderUnavailable) and error.retry_after is not None:
        assert 0 <= error.retry_after <= _LONGEST_LIFE, "an endless wait"


def _shows(secret: str, text: str) -> bool:
    return any(secret[start : start + 20] in text for start in range(len(secret) - 19))


def _check_tokens(made: Reply, found: TokenResponse) -> None:
    assert 200 <= made.response.status < 300, "tokens in a refusal"
    assert found.token_type == "Bearer"
    assert found.access_token.reveal().isascii()
    assert found.access_token.reveal().isprintable(), "a header cannot hold it"
    assert found.expires_in is not None
    assert 1 <= found.expires_in <= _LONGEST_LIFE, "a lifetime nobody believes"
    assert all(len(scope) <= 200 and "\x00" not in scope for scope in found.scope or ()), "a scope no column holds"
    assert len(found.scope or ()) <= 500
    assert json.dumps(dict(found.extras), allow_nan=False).isascii(), "facts that cannot be kept"
    assert made.secret not in repr(dataclasses.replace(found, scope=None)), "a secret shows"
