"""The Celery application: `celery -A broker.celery worker` and `... beat`."""

import os
import sys

from celery import Celery
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broker.settings")

try:
    settings.INSTALLED_APPS  # noqa: B018  the first access reads the settings
except ImproperlyConfigured as error:
    # Raised later, somewhere inside Celery's command line, the sentence would end a page of traceback.
    sys.exit(f"celery: {error}")

app = Celery("broker")
app.config_from_object("django.conf:settings", namespace="CELERY")
# `worker` is found like tasks are: it needs Django's apps, which are not ready when this module is read.
app.autodiscover_tasks(["broker"])
app.autodiscover_tasks(["broker"], related_name="worker")
