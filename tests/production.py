"""A production-like environment for processes that tests start, and such a process."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
KEYRING = f"v1:{base64.b64encode(os.urandom(32)).decode()}"
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "BROKER_ENVIRONMENT": "production",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "PUBLIC_URL": "https://broker.example",
    "DATABASE_URL": "postgres://broker:database-password@127.0.0.1:1/broker",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "KEYRING": KEYRING,
    "DJANGO_SETTINGS_MODULE": "broker.settings",
}


def run(*arguments: str, stdin: str = "", **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; a change of None takes a variable away."""
    environment = {name: value for name, value in {**ENVIRONMENT, **changes}.items() if value is not None}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
