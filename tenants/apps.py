"""Django's handle on this room."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Token broker"
    default_auto_field = "django.db.models.BigAutoField"
