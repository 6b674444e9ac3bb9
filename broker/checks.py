"""What must hold before a process serves. Ids are stable; docs/settings.md explains each.

broker.E001  the keyring cannot be used
broker.E002  a catalogue file is wrong
broker.E003  kombu is older than the first version that survives a broker restart
broker.E004  the keyring does not open the database's data keys (asked at the start of a process)
broker.W001  the demo settings are on
"""

import logging
from typing import Any

import kombu
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import Error as DatabaseError
from django.db import connection

from broker.services import credentials, directory, keys
from providers.errors import DefinitionError
from tenants.errors import KeyringInvalid

logger = logging.getLogger(__name__)


@register()
def keyring_is_usable(**_: Any) -> list[CheckMessage]:
    try:
        credentials.vault()
    except KeyringInvalid as error:
        hint = (
            "Make a key with `python -c \"import base64,os;print('v1:'+base64.b64encode(os.urandom(32)).decode())\"`."
        )
        return [Error(f"KEYRING: {error}", hint=hint, id="broker.E001")]
    return []


@register()
def catalogue_is_valid(**_: Any) -> list[CheckMessage]:
    try:
        directory.registry()
    except (DefinitionError, OSError) as error:
        return [Error(f"catalogue: {error}", hint="docs/adding-a-provider.md lists every key.", id="broker.E002")]
    return []


@register()
def kombu_reconnects(**_: Any) -> list[CheckMessage]:
    if kombu.VERSION[:2] < (5, 7):
        return [Error("kombu before 5.7 stops consuming silently after a dropped connection", id="broker.E003")]
    return []


@register(deploy=True)
def demo_is_off(**_: Any) -> list[CheckMessage]:
    if settings.DEMO:
        return [
            Warning(
                "DEMO allows plain http and providers on loopback; production must not set it",
                id="broker.W001",
            )
        ]
    return []


def keys_fit_the_database() -> list[CheckMessage]:
    """Return broker.E004 for each key version in the database that the keyring cannot serve.

    A database that is away or empty proves nothing either way; /readyz asks again before any traffic comes.
    """
    try:
        hint = "Give the KEYRING and BROKER_ENVIRONMENT that this database was written with."
        return [Error(sentence, hint=hint, id="broker.E004") for sentence in keys.unusable_keys()]
    except DatabaseError:
        logger.warning("the database does not answer yet; its keys are not checked")
        return []
    finally:
        # A process that forks its workers must not share these connections with them.
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
