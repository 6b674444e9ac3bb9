"""Addresses of the hosted pages."""

from django.urls import path

from broker.connect import callbacks, companies, views

urlpatterns = [
    path("connect/result/<uuid:flow_id>", views.result, name="connect-result"),
    path("connect/retry/<uuid:flow_id>", views.retry, name="connect-retry"),
    path("connect/company/<uuid:flow_id>", companies.company, name="connect-company"),
    path("connect/<str:token>", views.link, name="connect-link"),
    path("cb/<str:redirect_key>", callbacks.callback, name="connect-callback"),
    path("cb/<str:redirect_key>/<uuid:flow_id>", callbacks.posted, name="connect-posted"),
]
