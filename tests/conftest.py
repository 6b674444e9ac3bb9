"""Fixtures for every test: the sandbox, the catalogue that knows it, and the people."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from broker.services import counts, directory, presence, rounds
from tenants.models import Connection
from tests import emptying, flows, local_catalogue, people
from tests.fakes.sandbox import SandboxProcess, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database; it can go only once our own presence and the work in the background have left it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: emptying.empty())
        yield
    with django_db_blocker.unblock():
        rounds.end_all()
    presence.stop()


@pytest.fixture
def local_provider(sandbox: SandboxProcess, tmp_path: Path, settings: object) -> Iterator[SandboxProcess]:
    """The sandbox as the broker's environment `local` of eAccounting."""
    settings.CATALOGUE_DIRECTORY = str(local_catalogue.write(tmp_path / "catalogue", sandbox.url))
    settings.ESCROW_DIRECTORY = str(tmp_path / "escrow")
    directory.registry.cache_clear()
    yield sandbox
    directory.registry.cache_clear()


@pytest.fixture
def settled(transactional_db: None, local_provider: SandboxProcess) -> Iterator[people.People]:
    """Tenants, callers and a registration at the sandbox, in a database where transactions are real."""
    yield people.settle()
    # What was counted is written while this test's database is there.
    counts.reads.flush()


@pytest.fixture
def connect(settled: people.People, local_provider: SandboxProcess) -> Callable[..., Connection]:
    """Connects Aalto at the sandbox by the services and the sandbox's real pages."""
    return flows.connector(settled)
