"""Web and worker processes run Django's checks too: `manage.py` alone would leave production unchecked."""

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from broker.checks import keys_fit_the_database


def refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured, listing every failed check, so that a broken process never serves."""
    found = run_checks(include_deployment_checks=False)
    serious = [message for message in found if message.is_serious() and not message.is_silenced()]
    # Only with usable settings is there something to ask the database about.
    serious = serious or keys_fit_the_database()
    if serious:
        raise ImproperlyConfigured("refusing to start:\n" + "\n".join(map(str, serious)))
