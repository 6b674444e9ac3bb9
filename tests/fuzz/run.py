"""One run of Schemathesis over every operation of the document that the broker serves."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import Case, Config
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from tests.fuzz import judge
from tests.fuzz.aim import aimed
from tests.fuzz.ground import Ground
from tests.fuzz.progress import Progress

FUZZING = "fuzzing"


@dataclass
class Report:
    """What came of a run: how many answers and of which status each operation gave, and what was wrong with them."""

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    wrong: dict[str, dict[str, str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def heard(self, recorder: ScenarioRecorder) -> None:
        """Take in what one scenario recorded."""
        for case_id, exchange in recorder.interactions.items():
            label = recorder.cases[case_id].value.operation.label if case_id in recorder.cases else recorder.label
            if exchange.response is None:
                self.errors.append(f"{label}: no answer to {exchange.request.method} {exchange.request.uri}")
            else:
                self.answers.setdefault(label, Counter())[exchange.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                self._judge(recorder.cases[case_id].value, check)

    def _judge(self, case: Case, check: Any) -> None:
        if check.failure_info is not None:
            failure = check.failure_info.failure
            # One of each kind is enough to look at.
            text = f"{failure.title}: {failure.message}\n{check.failure_info.code_sample}"
            self.wrong.setdefault(case.operation.label, {}).setdefault(check.name, text)


def run(
    ground: Ground, *, seed: int, examples: int, foreign: int, only: str = "", progress: Progress | None = None
) -> Report:
    """Return what was found. Effects: thousands of requests to the broker.

    Shape:  examples is how many requests are made up for an operation, beside those that its schema's edges ask for;
            foreign is how many of its successes are tried again with keys that may not have them.
    """
    for check in (judge.problems, judge.authority(ground, foreign)):
        schemathesis.check(check)
    schema = schemathesis.openapi.from_url(
        f"{ground.broker.url}/v1/openapi.json", config=Config.from_dict(_config(ground, seed, examples, only))
    )
    report = Report()
    with aimed(ground, random.Random(seed)):
        for event in from_schema(schema).execute():
            _note(event, report, examples)
            if progress and isinstance(event, events.ScenarioFinished):
                progress.heard(event)
    return report


def _note(event: events.EngineEvent, report: Report, examples: int) -> None:
    if isinstance(event, events.ScenarioFinished):
        report.heard(event.recorder)
        made = len(event.recorder.interactions)
        if event.phase.value == FUZZING and made < examples:
            # It says nothing of its own when a generator fails.
            report.errors.append(f"{event.label}: {made} of {examples} requests were made up")
        if event.status is Status.ERROR:
            report.errors.append(f"{event.label}: {event.phase.value} did not end")
    elif isinstance(event, events.NonFatalError):
        report.errors.append(f"{event.label}: {type(event.value).__name__}: {event.value}")
    elif isinstance(event, events.FatalError):
        report.errors.append(f"{type(event.exception).__name__}: {event.exception}")


def _config(ground: Ground, seed: int, examples: int, only: str) -> dict[str, Any]:
    return {
        "seed": seed,
        "base-url": ground.broker.url,
        "headers": {"Authorization": f"Bearer {ground.keys['aalto']}"},
        "request-timeout": 20.0,
        "continue-on-failure": True,
        "generation": {"max-examples": examples, "deterministic": False, "with-security-parameters": False},
        "checks": {
            # Which faults are expected is for `judge.problems`.
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
            # What a value means is not all in its form: a provider has to exist, a cursor to be one of ours.
            "positive_data_acceptance": {"enabled": False},
        },
        "cache": {"enabled": False},
        # What is made up may not depend on answers before: an operation would quietly end with the first such request.
        "phases": {
            "fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}},
        },
        "operations": [
            *([{"exclude-operation-id": only, "enabled": False}] if only else []),
            # A gateway repeats the method of the request that it asks about.
            {"include-path-regex": "/forward-auth/", "checks": {"unsupported_method": {"enabled": False}}},
            # What was ended is still there, and says so.
            {"include-path-regex": "^/v1/connections/", "checks": {"use_after_free": {"enabled": False}}},
        ],
    }
