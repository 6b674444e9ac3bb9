"""The Celery application: `celery -A broker.celery worker` and `... beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broker.settings")

app = Celery("broker")
app.config_from_object("django.conf:settings", namespace="CELERY")
# `worker` is found like tasks are: it needs Django's apps, which are not ready when this module is read.
app.autodiscover_tasks(["broker"])
app.autodiscover_tasks(["broker"], related_name="worker")
