"""A process whose keyring does not fit its database does not start, and takes no traffic."""

import base64
import hashlib

import pytest
from django.core.exceptions import ImproperlyConfigured

from broker import startup
from broker.services import credentials

ANOTHER = base64.b64encode(hashlib.sha256(b"another keyring").digest()).decode()


@pytest.fixture
def use(settings):
    def change(**values: str) -> None:
        for name, value in values.items():
            setattr(settings, name, value)
        credentials.vault.cache_clear()

    yield change
    credentials.vault.cache_clear()


def test_the_right_keyring_starts(settled, client):
    startup.refuse_unsafe_start()
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"KEYRING": f"other:{ANOTHER}"}, {"KEYRING": f"1:{ANOTHER}"}, {"BROKER_ENVIRONMENT": "elsewhere"}],
    ids=["a version is missing", "a version holds another key", "the keys are of another environment"],
)
def test_keys_that_do_not_fit_are_refused(settled, client, use, changes):
    use(**changes)
    with pytest.raises(ImproperlyConfigured, match=r"broker\.E004"):
        startup.refuse_unsafe_start()
    assert client.get("/readyz").status_code == 503
