"""One system's walk: a wrong value, the right ones, calls that work, a breach, and its repair."""

import time
from typing import Any

import httpx2

from embedded.demo.customer import Customer
from embedded.demo.expectations import Unexpected, expect
from embedded.demo.service import Service
from embedded.demo.systems.description import Breach, Call, System, Thing
from embedded.sandbox_control import SandboxControl

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.2


class Walk:
    """What customer, service and vendor do with one system."""

    def __init__(self, system: System, service: Service, sandbox: SandboxControl) -> None:
        self._system = system
        self._service = service
        self._sandbox = sandbox
        self._customer = Customer(system.typed)
        # A service knows it from the vendor's documentation.
        self._base_url = str(sandbox.call("GET", "environments")[system.provider]["api_base_url"])
        self._seen: list[str] = []

    def run(self) -> str:
        """Return what was seen, in one line.

        Raises: Unexpected, EmbeddedError.
        """
        self._put(self._system.things)
        connection = self._connect()
        for call in self._system.calls:
            self._works(call)
        self._seen.append(f"{len(self._system.calls)} call{'s' * (len(self._system.calls) > 1)} answered")
        if self._system.further_scopes:
            self._ask_for_other_scopes()
        if self._system.breach:
            self._break(connection, self._system.breach)
        return f"{self._system.name}: {', '.join(self._seen)}"

    def _put(self, things: tuple[Thing, ...]) -> None:
        for thing in things:
            method = "DELETE" if thing.members is None else "PUT"
            self._sandbox.call(method, f"systems/{thing.path}", None if thing.members is None else {**thing.members})

    def _connect(self) -> str:
        session = self._service.connect_session()
        if self._system.wrong:
            marked = self._customer.refused(session["url"], self._system.wrong)
            field = next(iter(self._system.wrong))
            expect(field in marked, f"the page to mark {field}", f"{marked or 'nothing'} marked")
            self._seen.append(f"a wrong {field.replace('_', ' ')} was marked")
        self._customer.connect(session["url"])
        connection = self._service.completed_connection(session["id"])
        account = self._service.connection(connection)["external_account"]
        expect(self._system.account in account, self._system.account, account)
        self._seen.append(f"{account if self._system.account else 'the account'} was connected")
        return connection

    def _works(self, call: Call) -> None:
        answer = self._sent(call, self._headers(call))
        expect(call.says in answer.text, f"{call.says} from {call.path}", f"status {answer.status_code}")

    def _headers(self, call: Call) -> dict[str, Any]:
        asked = {"method": call.method, "url": self._base_url + call.path}
        if call.body:
            asked |= {"body": call.body, "content_type": call.content_type}
        return self._service.headers(asked)

    def _sent(self, call: Call, given: dict[str, Any]) -> httpx2.Response:
        content_type = {"Content-Type": call.content_type} if call.content_type else {}
        return httpx2.request(
            call.method,
            f"{self._base_url}{call.path}",
            headers={**content_type, **given["headers"]},
            content=call.body.encode() or None,
            timeout=10,
            trust_env=False,
        )

    def _ask_for_other_scopes(self) -> None:
        usual, other = self._service.token(), self._service.token(scope=self._system.further_scopes)
        expect(usual["access_token"] != other["access_token"], "a token of its own for other scopes", "the same")
        again = self._service.token(scope=self._system.further_scopes)
        expect(again["access_token"] == other["access_token"], "that token from the cache", "another one")
        self._seen.append("a second token by scope")

    def _break(self, connection: str, breach: Breach) -> None:
        call = self._system.calls[0]
        given = self._headers(call)
        self._put(breach.before)
        if breach.withdrawn:
            self._withdraw()
        refused = self._refusal(call, given)
        verdict = self._service.report_answer(connection, given["version"], refused)
        expect(verdict["verdict"] == breach.verdict, breach.verdict, f"{verdict['verdict']} ({verdict['state']})")
        self._put(breach.afterwards)
        if verdict["connect_url"]:
            self._customer.typed |= breach.typed
            self._customer.connect(verdict["connect_url"])
        else:
            self._until_it_is_over(call)
        self._works(call)
        expect(self._service.own_connection()["id"] == connection, "the same connection id", "another one")
        self._seen.append(f"{breach.told}: detected ({verdict['verdict']}) and repaired")

    def _until_it_is_over(self, call: Call) -> None:
        """What the vendor refused a moment ago is not asked for again in the same second."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                self._headers(call)
            except Unexpected:
                time.sleep(POLL_SECONDS)
            else:
                return

    def _withdraw(self) -> None:
        alive = self._sandbox.call("GET", "grants?alive=true")["grants"]
        ours = [grant["id"] for grant in alive if self._system.client_id in grant["client_id"]]
        expect(len(ours) == 1, "one grant at the vendor", f"{len(ours)}")
        self._sandbox.call("POST", f"grants/{ours[0]}/withdraw")

    def _refusal(self, call: Call, given: dict[str, Any]) -> httpx2.Response:
        """The vendor's no; where it does not look an access token up, once that has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while call.says in (answer := self._sent(call, given)).text:
            if time.monotonic() > deadline:
                raise Unexpected("the vendor to refuse", f"status {answer.status_code}")
            time.sleep(POLL_SECONDS)
        return answer
