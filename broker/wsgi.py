"""The web process. Refuses to start on settings that a check calls an error."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broker.settings")

application = get_wsgi_application()

# Only now: checks reach the models, and those can be imported only when Django's apps are ready.
from broker.startup import start_web  # noqa: E402

start_web()
