"""Django's handle on this room."""

from django.apps import AppConfig


class BrokerConfig(AppConfig):
    name = "broker"
    verbose_name = "Broker"

    def ready(self) -> None:
        from broker import checks  # noqa: F401, PLC0415  Django registers checks when apps are ready, not before.
