"""A customer, links for Aalto, and a translation cache that no test leaves behind."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.services import directory, register, sessions
from broker.services.sessions import Link
from providers.messages import Secret
from tests import people
from tests.broker.connect.customer import Customer
from tests.broker.connect.vendor import FORMS, SIGN_INS, Vendor
from tests.fakes import sandbox as fake
from tests.fakes.sandbox import SandboxProcess


@pytest.fixture
def customer() -> Customer:
    return Customer()


@pytest.fixture
def vendor(settled: people.People, local_provider: SandboxProcess, settings: Any) -> Iterator[Vendor]:
    """A vendor with forms and sign-ins, and a registration at each of its providers."""
    with Vendor() as made:
        made.write_catalogue(Path(settings.CATALOGUE_DIRECTORY), local_provider.url)
        directory.registry.cache_clear()
        for provider_id in FORMS:
            registered(provider_id, "aalto-software")
        for provider_id in SIGN_INS:
            registered(provider_id, fake.CLIENT_ID, Secret(fake.CLIENT_SECRET))
            local_provider.allow_redirect_uri(f"http://127.0.0.1:8000/cb/{provider_id}")
        yield made


def registered(provider_id: str, client_id: str, secret: Secret | None = None) -> None:
    register.register_client(
        provider_id,
        environment="local",
        client_id=client_id,
        client_secret=secret,
        redirect_key=provider_id,
        actor=people.STAFF,
    )


@pytest.fixture
def make_link(settled: people.People) -> Callable[..., Link]:
    """Makes a connect link for Aalto, with a return URL unless told otherwise."""

    def make(providers: list[str] | None = None, **fields: Any) -> Link:
        given = {"return_url": people.RETURN_URL, "actor": people.STAFF, **fields}
        return sessions.create(settled.aalto, providers or [people.PROVIDER], **given)

    return make
