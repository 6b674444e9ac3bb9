"""The broker's settings with one more address: the floor."""

from broker.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"
