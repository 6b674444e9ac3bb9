"""Addresses of the hosted pages."""

from django.urls import path

from broker.connect import views

urlpatterns = [
    path("connect/result/<uuid:flow_id>", views.result, name="connect-result"),
    path("connect/retry/<uuid:flow_id>", views.retry, name="connect-retry"),
    path("connect/<str:token>", views.link, name="connect-link"),
    path("cb/<str:redirect_key>", views.callback, name="connect-callback"),
]
