"""What every answer has to be beyond its schema, as checks of Schemathesis."""

from collections import Counter
from collections.abc import Callable

import requests
from schemathesis import Case, CheckContext, Response

from tests.fuzz.ground import Ground
from tests.journeys.judging import CODES, MEMBERS, PROBLEM

# A provider may be slow or the caller in a hurry; nothing else may be.
EXPECTED_FAULTS = {"renewal_in_progress", "provider_unavailable"}
# By the name of the key, what it may be told. 429: unknown keys have a small budget.
SHUT = {"": {401}, "revoked": {401, 429}, "expired": {401, 429}, "powerless": {403}}
Check = Callable[[CheckContext, Response, Case], None]


def problems(_: CheckContext, response: Response, case: Case) -> None:
    """Every refusal is a problem of broker/errors.py, and nothing is kept by a cache."""
    assert response.headers.get("cache-control") == ["no-store"], f"Cache-Control: {response.headers}"
    if response.status_code < 400 or case.method == "HEAD":
        return
    assert response.headers["content-type"] == [PROBLEM], response.headers["content-type"]
    problem = response.json()
    assert problem.keys() >= MEMBERS, f"members: {problem}"
    assert problem["status"] == response.status_code == CODES[problem["code"]], f"status: {problem}"
    assert response.status_code < 500 or problem["code"] in EXPECTED_FAULTS, f"fault: {problem}"
    assert response.status_code != 401 or response.headers["www-authenticate"] == ["Bearer"]


def authority(ground: Ground, each: int) -> Check:
    """Nothing that succeeds does so without authority: the same request again, with keys that may not have it.

    Shape:  so often for each operation, because it costs five requests.
    """
    asked: Counter[str] = Counter()
    session = requests.Session()
    session.trust_env = False

    def no_success_without_authority(_: CheckContext, response: Response, case: Case) -> None:
        if response.status_code >= 400 or asked[case.operation.label] >= each:
            return
        asked[case.operation.label] += 1
        for name, told in SHUT.items():
            assert _again(session, response, ground.keys.get(name, "")).status_code in told, f"key {name!r}"
        foreign = _again(session, response, ground.keys["birch"])
        assert not any(one in foreign.content for one in ground.mine()), f"birch saw {foreign.content[:300]!r}"

    return no_success_without_authority


def _again(session: requests.Session, response: Response, key: str) -> requests.Response:
    asked = response.request.copy()
    asked.headers.pop("Authorization", None)
    if key:
        asked.headers["Authorization"] = f"Bearer {key}"
    return session.send(asked, timeout=20)
