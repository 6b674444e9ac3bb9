"""The web process. Refuses to start on settings that a check calls an error."""

import os

from django.core.wsgi import get_wsgi_application

from broker.startup import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broker.settings")

application = get_wsgi_application()
refuse_unsafe_start()
