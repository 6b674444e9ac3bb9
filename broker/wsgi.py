"""The web process. Refuses to start on settings that a check calls an error."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broker.settings")

_django = get_wsgi_application()

# Only now: what follows reaches the models, and those can be imported only when Django's apps are ready.
from broker.api.front import Front  # noqa: E402
from broker.api.unread import ClosesUnread  # noqa: E402
from broker.startup import start_web  # noqa: E402

application = ClosesUnread(Front(_django))
start_web()
