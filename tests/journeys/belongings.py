"""What belongs to Aalto where routes are asked for it: one of everything that a route can name."""

from typing import Any

from tests.fakes.broker import Broker
from tests.journeys import customer
from tests.journeys.service import Service
from tests.people import PROVIDER

# The ids; others of their form, and some of none, are asked for as well.
NAMES = ("session_id", "connection_id", "endpoint_id", "delivery_id")
# Nobody listens there, and nothing is sent while no worker runs.
TARGET = "https://127.0.0.1:9/events"


def of_aalto(broker: Broker, aalto: Service, label: str = "") -> dict[str, str]:
    """Return ids and names by the names of path parameters. Effects: a customer has connected."""
    session = aalto.connect_session()["id"]
    connection = customer.connect_new(broker, aalto, label=label)
    endpoint = _made(aalto, "/webhook-endpoints", {"url": TARGET})
    broker.secrets.add(endpoint["secret"])
    return {
        "session_id": session,
        "connection_id": connection,
        "endpoint_id": endpoint["id"],
        "delivery_id": _made(aalto, f"/webhook-endpoints/{endpoint['id']}/test", None)["id"],
        "tenant": "aalto",
        "provider": PROVIDER,
        "rest": "customers",
        "base_url": aalto.token(connection)["base_url"],
    }


def _made(aalto: Service, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    answer = aalto.http.post(path, json=body)
    assert answer.status_code in (201, 202), answer.text
    made: dict[str, Any] = answer.json()
    return made
