"""Whole stories over HTTP: real web and worker processes, each story with its own database."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.fakes.sandbox import SandboxProcess
from tests.journeys.installation import Installation
from tests.journeys.service import Service

Journey = Callable[..., tuple[Broker, SandboxProcess]]
BareJourney = Callable[..., Broker]
LOG_LINES = 60


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Installation]:
    """The database that every broker of this pytest worker starts from."""
    with Installation(tmp_path_factory.mktemp("installation"), worker_id).prepared() as prepared:
        yield prepared


@pytest.fixture
def journey(installation: Installation, tmp_path: Path) -> Iterator[Journey]:
    """Makes a broker and its sandbox; when the test is over no log of theirs may hold a secret."""
    with ExitStack() as stack:
        made: list[Broker] = []

        def make(**settings: object) -> tuple[Broker, SandboxProcess]:
            folder = tmp_path / f"broker{len(made)}"
            broker, sandbox = stack.enter_context(installation.with_sandbox(folder, **settings))  # type: ignore[arg-type]
            made.append(broker)
            return broker, sandbox

        yield make
        assert {broker.url: leaks for broker in made if (leaks := broker.leaks())} == {}


@pytest.fixture
def bare_journey(installation: Installation, tmp_path: Path) -> Iterator[BareJourney]:
    """Makes a broker without a sandbox, for other providers."""
    with ExitStack() as stack:
        made: list[Broker] = []

        def make(**settings: object) -> Broker:
            made.append(stack.enter_context(installation.broker(tmp_path / "broker", **settings)))  # type: ignore[arg-type]
            made[-1].know_sandbox("http://127.0.0.1:9")
            return made[-1]

        yield make
        assert {broker.url: leaks for broker in made if (leaks := broker.leaks())} == {}


@pytest.fixture
def service(installation: Installation) -> Iterator[Callable[[Broker], Service]]:
    """Makes Aalto's service at a broker."""
    with ExitStack() as stack:
        yield lambda broker: stack.enter_context(Service(broker, installation.keys["aalto"]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes wrote below a failure of the test that uses them."""
    report = yield
    if report.failed:
        for broker in Broker.OPEN:
            for name, text in broker.logs().items():
                report.sections.append((f"{name} at {broker.url}", "\n".join(text.splitlines()[-LOG_LINES:])))
    return report
