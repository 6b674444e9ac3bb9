"""The command lines of our own long-running processes, as an operator would write them."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from embedded.sandbox_control import PASSWORD

# One a core. Given explicitly: granian's own default is dozens of threads, each with a database connection.
WEB_WORKERS = 2
BLOCKING_THREADS = 4
# The tasks only hint and tidy up: renewals have threads of their own, RENEWAL_CONCURRENCY of them.
TASK_THREADS = 4


def sandbox(base_url: str, data: Path) -> list[str]:
    """The provider on this machine."""
    address = urlsplit(base_url)
    command = [sys.executable, "-m", "sandbox", "--host", str(address.hostname), "--port", str(address.port)]
    return [*command, "--data", str(data), "--password", PASSWORD]


def web(port: int, host: str) -> list[str]:
    """The broker's pages and API. Without --respawn-failed-workers a crashed worker would stay away."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)]
    command += ["--workers", str(WEB_WORKERS), "--blocking-threads", str(BLOCKING_THREADS)]
    return [
        *command,
        "--respawn-failed-workers",
        "--no-ws",
        "--log-level",
        "warning",
        "broker.wsgi:application",
    ]


def worker(schedule: Path) -> list[str]:
    """The broker's tasks, and beat with them; production runs beat as a process of its own."""
    command = [sys.executable, "-m", "celery", "-A", "broker.celery:app", "worker", "--beat"]
    command += ["--schedule", str(schedule), "--pool", "threads", "--concurrency", str(TASK_THREADS)]
    # There is only this one worker to talk to.
    return [*command, "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
