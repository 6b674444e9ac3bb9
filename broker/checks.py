"""What must hold before a process serves. Ids are stable; docs/settings.md explains each.

broker.E001  the keyring cannot be used
broker.E002  a catalogue file is wrong
broker.E003  kombu is older than the first version that survives a broker restart
broker.E004  the keyring does not open the database's data keys (asked at the start of a process)
broker.E005  the escrow's folder cannot be written (workers; the web process warns)
broker.E006  Celery is set so that hints could be lost or pile up, or its messages be more than JSON (workers and beat)
broker.E007  the worker's pool is not `threads` (workers)
broker.E008  the database would commit without waiting for its disk, or let a statement wait for ever (workers)
broker.W001  the demo settings are on
broker.W002  the queue's server may throw hints away when its memory is full (workers; logged, never refused)
"""

import logging
from collections.abc import Mapping
from typing import Any

import kombu
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import Error as DatabaseError
from django.db import connection

from broker.services import credentials, directory, escrow, escrow_file, keys
from providers.errors import DefinitionError
from tenants.errors import KeyringInvalid

logger = logging.getLogger(__name__)
# What Celery needs so that a hint is never lost for long, never piles up, and carries ids only.
_CELERY: dict[str, Any] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_time_limit": 120,
    "task_soft_time_limit": 100,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
}
_VISIBILITY_SECONDS = 600
_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


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


def escrow_is_writable() -> list[CheckMessage]:
    """Return broker.E005 unless a file in the escrow's folder reaches the disk. Effects: the folder."""
    try:
        escrow_file.prepare(escrow.folder())
    except OSError as error:
        reason = f"ESCROW_DIRECTORY: no file can be written there ({type(error).__name__})"
        hint = "Name a folder on a disk that outlives the process, and that only its user may read."
        return [Error(reason, hint=hint, id="broker.E005")]
    return []


def celery_is_safe(actual: Mapping[str, Any]) -> list[CheckMessage]:
    """Return broker.E006 for each of Celery's settings that differs from what renewals rely on."""
    wrong = {name: wanted for name, wanted in _CELERY.items() if actual.get(name) != wanted}
    if actual.get("broker_transport_options", {}).get("visibility_timeout") != _VISIBILITY_SECONDS:
        wrong["broker_transport_options"] = {"visibility_timeout": _VISIBILITY_SECONDS}
    hint = "Leave it out of the worker's command line, and broker/settings.py as it is."
    return [Error(f"Celery's {name} must be {wanted}", hint=hint, id="broker.E006") for name, wanted in wrong.items()]


def pool_is_threads(pool: str) -> list[CheckMessage]:
    """Return broker.E007 for any pool that forks, or replaces the threads that a worker renews with."""
    if pool.startswith("celery.concurrency.thread"):
        return []
    hint = "Start the worker with `--pool threads`, or without the option. More machines, or more workers, renew more."
    reason = f"this pool ({pool}) cannot renew: a worker's renewals are threads beside Celery's own"
    return [Error(reason, hint=hint, id="broker.E007")]


def database_is_durable() -> list[CheckMessage]:
    """Return broker.E008 for what a session of ours lacks. One that is away proves nothing, as with the keys."""
    try:
        found = {name: _setting(name) for name in ("synchronous_commit", *_TIMEOUTS)}
    except DatabaseError:
        logger.warning("the database does not answer yet; its settings are not checked")
        return []
    finally:
        connection.close()
    wrong = [f"{name} is 0: a renewal could wait for ever" for name in _TIMEOUTS if found[name] == "0"]
    if found["synchronous_commit"] == "off":
        wrong.append("synchronous_commit is off: a crash would lose renewed tokens that are in use")
    hint = "Does a pooler drop the options of DATABASE_URL's connections, or the server override them?"
    return [Error(f"the database: {reason}", hint=hint, id="broker.E008") for reason in wrong]


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def queue_keeps_hints(policy: str) -> list[CheckMessage]:
    """Return broker.W002 for a queue whose server evicts."""
    if policy == "noeviction":
        return []
    reason = f"the queue's maxmemory-policy is {policy}: hints may be thrown away, and renewals come later"
    return [Warning(reason, hint="Set it to noeviction.", id="broker.W002")]
