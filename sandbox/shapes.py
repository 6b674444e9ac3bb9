"""Faults in a vendor's own form."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.exchange import Exchange, Reply
from sandbox.faults import Fault
from sandbox.pipeline import Shape

# Status, code and text of an error to the vendor's form.
Problem = Callable[[int, str, str], Reply]


def shapes(problem: Problem, broken: str, throttled: str, wait_header: str = "Retry-After") -> Mapping[str, Shape]:
    """The faults `status`, `error` and `rate_limited` in this form; the codes are those of the first and the last."""

    def status(_: Exchange, fault: Fault) -> Reply:
        return problem(fault.status or 500, broken, "An internal error occurred.")

    def error(_: Exchange, fault: Fault) -> Reply:
        return problem(fault.status or 400, fault.error, fault.error_description)

    def rate_limited(_: Exchange, fault: Fault) -> Reply:
        reply = problem(429, throttled, "Too many requests.")
        wait = 1 if fault.retry_after is None else fault.retry_after
        return replace(reply, headers={**reply.headers, wait_header: str(wait)})

    return {"status": status, "error": error, "rate_limited": rate_limited}
