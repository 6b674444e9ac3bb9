"""The variables that the broker's settings need when nothing is served: in tests and for the type checker."""

import os
import secrets

from embedded.environment import new_keyring


def set_missing() -> None:
    """Set what the settings ask for and the caller did not set, but for the addresses of servers."""
    for name, value in {
        "DJANGO_SETTINGS_MODULE": "broker.settings",
        "BROKER_ENVIRONMENT": "test",
        "DEMO": "true",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "KEYRING": new_keyring(),
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    }.items():
        os.environ.setdefault(name, value)
