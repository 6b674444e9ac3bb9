"""The tested alternative to granian: the same application under gunicorn's threads."""

from collections.abc import Callable

from tests.fakes.broker import Broker
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service, call_provider


def test_gunicorn_serves_pages_and_tokens(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, _ = journey()
    broker.start_web("gunicorn", workers=2)
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    assert call_provider(aalto.token(connection)).status_code == 200
    assert "gthread" in broker.logs()["web"]
