"""The short form of `make fuzz`: every operation, some hundred requests in all, always the same ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.api.routes import api
from tests.fuzz.ground import Ground, prepared
from tests.fuzz.run import Report, run
from tests.fuzz.table import findings
from tests.journeys.conftest import installation
from tests.journeys.installation import Installation

__all__ = ["installation"]
SEED, EXAMPLES, FOREIGN = 1, 5, 3


@pytest.fixture(scope="module")
def ground(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with prepared(installation, Path(tmp_path_factory.mktemp("fuzz"))) as made:
        yield made


@pytest.fixture(scope="module")
def report(ground: Ground) -> Report:
    return run(ground, seed=SEED, examples=EXAMPLES, foreign=FOREIGN)


def test_nothing_is_wrong(report: Report) -> None:
    assert not findings(report), "\n\n".join(findings(report))


def test_every_operation_was_asked_and_answered(report: Report) -> None:
    """One that never succeeded was not tested: tests/fuzz/ground.py has to know what it needs."""
    described = api.get_openapi_schema(path_prefix="/v1/")["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    succeeded = {label for label, counts in report.answers.items() if any(status < 300 for status in counts)}
    assert succeeded == operations


def test_the_broker_is_as_before(report: Report, ground: Ground) -> None:
    assert ground.unharmed() == []
