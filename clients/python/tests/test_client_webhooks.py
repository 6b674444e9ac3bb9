"""Webhooks: what the broker signed, and nothing else. The library of the specification is the peer."""

import base64
import datetime as dt
import json

import pytest
from standardwebhooks.webhooks import Webhook
from token_broker import WebhookRefused, verify_webhook

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLD = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
BODY = json.dumps({"type": "connection.connected", "timestamp": AT.isoformat(), "data": {"tenant": "acme"}})


def signed(secret: str = SECRET, body: str = BODY) -> dict[str, str]:
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(AT.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", AT, body),
    }


def test_what_the_library_signs_is_taken() -> None:
    event = verify_webhook(signed(), BODY.encode(), SECRET, now=AT.timestamp() + 10)
    assert (event.id, event.type, event.timestamp, event.data) == (
        "msg_1",
        "connection.connected",
        AT,
        {"tenant": "acme"},
    )


def test_while_a_secret_is_replaced_either_fits() -> None:
    both = {**signed(), "Webhook-Signature": f"v1a,xx {signed(OLD)['Webhook-Signature']}"}
    assert verify_webhook(both, BODY.encode(), (SECRET, OLD), now=AT.timestamp()).id == "msg_1"
    with pytest.raises(WebhookRefused):
        verify_webhook(both, BODY.encode(), SECRET, now=AT.timestamp())


@pytest.mark.parametrize(
    "changed",
    [
        {"Webhook-Id": "msg_2"},
        {"Webhook-Timestamp": str(int(AT.timestamp()) + 1)},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,ä"},
        {"Webhook-Signature": "v2," + Webhook(SECRET).sign("msg_1", AT, BODY)[3:]},
    ],
)
def test_what_was_changed_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook({**signed(), **changed}, BODY.encode(), SECRET, now=AT.timestamp())


def test_another_body_or_none_is_refused() -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(signed(), BODY.encode() + b" ", SECRET, now=AT.timestamp())
    with pytest.raises(WebhookRefused, match="webhook-id"):
        verify_webhook({}, BODY.encode(), SECRET)
    with pytest.raises(WebhookRefused, match="not an event"):
        verify_webhook(signed(body="[]"), b"[]", SECRET, now=AT.timestamp())


@pytest.mark.parametrize("later", [301, -301])
def test_an_old_one_is_refused(later: int) -> None:
    with pytest.raises(WebhookRefused, match="too far"):
        verify_webhook(signed(), BODY.encode(), SECRET, now=AT.timestamp() + later)


def test_a_secret_that_is_none_is_not_shown() -> None:
    with pytest.raises(ValueError, match="whsec_") as told:
        verify_webhook(signed(), BODY.encode(), "whsec_canary!", now=AT.timestamp())
    assert "canary" not in str(told.value)
