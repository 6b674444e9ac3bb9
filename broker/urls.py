"""Every address of the broker."""

from django.urls import include, path

from broker.admin import desk

urlpatterns = [
    path("", include("broker.api.urls")),
    path("", include("broker.connect.urls")),
    path("admin/", desk.urls),
]

handler400 = "broker.connect.failures.bad_request"
handler403 = "broker.connect.failures.permission_denied"
handler404 = "broker.connect.failures.page_not_found"
handler500 = "broker.connect.failures.server_error"
