"""The redirection endpoint: one exchange, for this browser at this address, or none. The sandbox's log proves it."""

import random
import string
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils import timezone

from tenants.models import AuthorizationRequest, Connection, Credential
from tests import people
from tests.broker.connect.customer import Customer, at_provider, forged, text_of
from tests.fakes.broker import wait_until

KEY = "visma-eaccounting"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def answered(customer, make_link):
    """The address that the provider sent the customer back to, not yet followed."""
    return at_provider(customer.start(make_link().url))


def exchanges(sandbox):
    return sandbox.log(endpoint="token")


def refused(answer):
    return answer.status_code == 400 and "authorization_response_invalid" in text_of(answer)


def test_the_answer_ends_on_a_clean_address(customer, answered, local_provider):
    answer = customer.open(answered)
    assert (answer.status_code, answer["Location"]) == (
        303,
        f"/connect/result/{AuthorizationRequest.objects.get().id}",
    )
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "Visma eAccounting (Spiris) is now connected to Aalto Oy." in text_of(customer.follow(answer))
    assert [entry["decision"] for entry in exchanges(local_provider)] == ["issued"]
    assert Connection.objects.get().state == "connected"


def test_fifty_parallel_answers_make_one_exchange(customer, answered, local_provider):
    """The row is held until several have read it as pending: who looks first and writes then would exchange twice."""

    def deliver(_number):
        browser = Customer()
        browser.browser.cookies.load(customer.browser.cookies.output(header="", sep=";"))
        try:
            return browser.open(answered).status_code
        finally:
            database.close()

    with ThreadPoolExecutor(50) as pool:
        with transaction.atomic():
            AuthorizationRequest.objects.select_for_update().get()
            delivered = [pool.submit(deliver, number) for number in range(50)]
            wait_until(lambda: waiting_for_locks() >= 2, "answers to wait for the row", 15)
        assert [one.result() for one in delivered] == [303] * 50
    assert len(exchanges(local_provider)) == 1
    assert Credential.objects.count() == 1
    assert "is now connected" in text_of(customer.follow(customer.open(answered)))


def waiting_for_locks():
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("cookie", [None, "", "forged" * 8, "1"])
def test_another_browser_gets_nothing(customer, answered, local_provider, cookie):
    thief = Customer()
    (name,) = [name for name in customer.browser.cookies if "flow-" in name]
    if cookie is not None:
        thief.browser.cookies[name] = cookie
    for _ in range(10):
        assert refused(thief.open(answered))
    assert exchanges(local_provider) == []
    assert AuthorizationRequest.objects.get().status == "pending"
    assert customer.open(answered).status_code == 303


def test_the_cookie_of_another_flow_does_not_count(customer, answered, make_link, local_provider):
    other = Customer()
    other.start(make_link().url)
    (mine,) = [name for name in customer.browser.cookies if "flow-" in name]
    (theirs,) = [morsel.value for name, morsel in other.browser.cookies.items() if "flow-" in name]
    other.browser.cookies[mine] = theirs
    assert refused(other.open(answered))
    assert exchanges(local_provider) == []


def test_a_used_state_is_not_used_again(customer, answered, local_provider):
    first = customer.open(answered)
    again = customer.open(answered)
    assert (again.status_code, again["Location"]) == (303, first["Location"])
    assert len(exchanges(local_provider)) == 1


def test_an_expired_state_is_not_used(customer, answered, local_provider):
    AuthorizationRequest.objects.update(expires_at=timezone.now())
    result = customer.follow(customer.open(answered))
    assert "That took too long" in text_of(result)
    assert exchanges(local_provider) == []


def test_an_answer_on_the_path_of_another_registration_is_refused(customer, answered, local_provider):
    people.register_sandbox(client_id="other", redirect_key="other-key")
    for key in ("other-key", "unknown", "VISMA-EACCOUNTING", "%00"):
        assert refused(customer.open(answered.replace(f"/cb/{KEY}", f"/cb/{key}")))
    assert exchanges(local_provider) == []
    assert customer.open(answered).status_code == 303


def test_the_answer_of_another_server_is_refused(customer, answered, local_provider):
    result = customer.follow(customer.open(f"{answered}&iss=https%3A%2F%2Fevil.example"))
    assert "The answer could not be trusted" in text_of(result)
    assert "iss_mismatch" in text_of(result)
    assert exchanges(local_provider) == []


@pytest.mark.parametrize("method", ["head", "put", "delete", "options"])
def test_no_other_method_is_answered(customer, answered, local_provider, method):
    parts = urlsplit(answered)
    answer = getattr(customer.browser, method)(f"{parts.path}?{parts.query}")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, POST")
    assert exchanges(local_provider) == []
    assert customer.open(answered).status_code == 303


def test_an_answer_is_not_posted_where_it_was_asked_for_in_the_address(customer, answered, local_provider):
    parts = urlsplit(answered)
    fields = dict(parse_qsl(parts.query))
    for path in (parts.path, f"{parts.path}?{parts.query}"):
        assert refused(customer.browser.post(path, fields))
        assert refused(customer.browser.post(path, urlencode(fields), content_type=FORM))
    assert exchanges(local_provider) == []
    assert customer.open(answered).status_code == 303


def test_a_thousand_malformed_answers_make_no_exchange_and_no_fault(customer, answered, make_link, local_provider):
    """Every tenth with a state that is good, so that it gets past the first door."""
    chance = random.Random(20260101)
    client = Client(raise_request_exception=False)
    client.cookies = customer.browser.cookies
    for number in range(1000):
        state = "x"
        if number % 10 == 0:
            state = parse_qs(urlsplit(customer.start(make_link().url)).query)["state"][0]
        answer = client.get(f"/cb/{KEY}?{malformed(chance, state)}")
        assert answer.status_code in (303, 400), answer.content
    assert exchanges(local_provider) == []
    assert not Connection.objects.exists()


def malformed(chance, state):
    """A query string with something wrong: repeated, missing, both, too long, wrong encoding, or noise."""
    code = "".join(chance.choices(string.printable + "äß\u2603\x00\ud800", k=chance.choice([0, 1, 40, 5000])))
    noise = "&".join(chance.choices(["=", "%", "%zz", "a[]=b", "%00=%00", "%ff=%fe", ";;", "+", "state", "code"], k=9))
    sane = f"state={quote(state)}"
    return chance.choice(
        [
            f"{sane}&code=a&code=b",
            f"{sane}&{sane}&code=a",
            f"{sane}&code=a&error=access_denied",
            sane,
            f"{sane}&code=",
            f"{sane}&code={'a' * 4097}",
            f"{sane}&code={quote(code.encode('utf-8', 'surrogatepass'))}%0a",
            f"{sane}&code=a&iss=https://{uuid.UUID(int=chance.getrandbits(128))}.example",
            f"{sane}&error={quote(code.encode('utf-8', 'surrogatepass'))}x",
            f"{sane}&code=a&session_state=1&session_state=2",
            f"state={'s' * 2000}&code=a",
            f"state=&code={'c' * 9}",
            f"STATE={state}&code=a",
            noise,
            "&".join(f"p{number}=1" for number in range(200)) + f"&{sane}&code=a",
            "",
        ]
    )


def test_a_forged_answer_without_any_flow_is_refused(customer, settled, local_provider):
    assert refused(customer.open(forged(KEY, ("code", "c"), ("state", "s" * 43))))
    assert exchanges(local_provider) == []
