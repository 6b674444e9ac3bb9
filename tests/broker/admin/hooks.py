"""A webhook endpoint with a delivery, for the pages that show them."""

from broker.services import webhooks
from tenants.models import WebhookDelivery, WebhookEndpoint
from tests.broker.services import telling
from tests.people import People

PATH = "/secret-path-of-the-receiver"


def endpoint_of(people: People, url: str = "http://127.0.0.1:9") -> tuple[WebhookEndpoint, str]:
    """The endpoint and its secret."""
    return telling.endpoint(people.aalto_key, f"{url}{PATH}")


def one_of_each(people: People) -> dict[str, object]:
    """Ids by the names of models."""
    row, _ = endpoint_of(people)
    delivery: WebhookDelivery = webhooks.send_test(row, actor=telling.ACTOR)
    return {"webhookendpoint": row.pk, "webhookdelivery": delivery.pk}
