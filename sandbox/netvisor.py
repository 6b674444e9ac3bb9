"""Netvisor: requests that prove themselves one by one, answered in XML."""

import re
from html import escape
from xml.parsers import expat

from sandbox import netvisor_signature as signature
from sandbox.exchange import Exchange, Reply
from sandbox.netvisor_answers import NetvisorError, accepted, refused, scripted
from sandbox.netvisor_judge import CUSTOMERS, PARTNERS, Customer, admitted
from sandbox.pipeline import Endpoint
from sandbox.received import Received, received
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.system import System

LIST = ((101, "Kallio Kahvila Oy", "2345678-0"), (102, "Tampereen Työkalu Ky", "3456788-1"))


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note partner and customer as the request names them, unproven."""
    request = received(exchange.request, exchange.body)
    exchange.entry.client_id = request.text(signature.PARTNER)
    exchange.entry.user = request.text(signature.CUSTOMER)
    if mac := request.text(signature.MAC):
        exchange.entry.presented = fingerprint(mac)


def answer(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The resource's reply, or the vendor's refusal."""
    request = received(exchange.request, exchange.body)
    try:
        customer = admitted(sandbox, request)
        inner = _resource(request, exchange.request.match_info["resource"], customer)
    except NetvisorError as error:
        exchange.decide(error.code, f"{error.problem} {error.about}".rstrip())
        return refused(request, error)
    exchange.decide("served")
    return accepted(inner)


def _resource(request: Received, resource: str, customer: Customer) -> str:
    if (request.method, resource.lower()) == ("GET", "customerlist"):
        return _customer_list(request)
    if (request.method, resource.lower()) == ("POST", "customer"):
        _check_message(request.body)
        return f"<Replies><InsertedDataIdentifier>{LIST[-1][0] + 1}</InsertedDataIdentifier></Replies>"
    raise NetvisorError("INVALID_DATA", "resource", f"{request.method} {resource[:40]}.nv")


def _customer_list(request: Received) -> str:
    base, _, _ = request.url.partition("/customerlist")
    customers = (
        f"<Customer><Netvisorkey>{key}</Netvisorkey><Name>{escape(name)}</Name><Code>{key}</Code>"
        f"<OrganisationIdentifier>{organisation}</OrganisationIdentifier>"
        f"<Uri>{escape(base)}/getcustomer.nv?id={key}</Uri></Customer>"
        for key, name, organisation in LIST
    )
    return f"<Customerlist>{''.join(customers)}</Customerlist>"


def _check_message(body: bytes) -> None:
    """Source: article 77000466681: no declaration, begins with `<root>`, ISO-8859-15, with UTF-8 as a way out."""
    text = _decoded(body)
    if not re.match(r"<root[\s>]", text):
        raise NetvisorError("INVALID_DATA", "body", "<root>")
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = _refuse_dtd
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise NetvisorError("INVALID_DATA", "body", expat.ErrorString(error.code)) from None


def _decoded(body: bytes) -> str:
    # Every byte is something in ISO-8859-15, so what is UTF-8 has to be recognised first.
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode(signature.ENCODING)


def _refuse_dtd(*_: object) -> None:
    raise NetvisorError("INVALID_DATA", "body", "DTD")


SYSTEM = System(
    "netvisor",
    {"/netvisor/{resource}.nv": Endpoint("netvisor", answer, ("GET", "POST"), identify, {"error": scripted})},
    kinds=(PARTNERS, CUSTOMERS),
)
