"""Every system of the sandbox, one module (or a few) each."""

from sandbox import (
    eaccounting,
    economic,
    fivaldi,
    maventa,
    netvisor,
    payslip,
    procountor,
    product_apis,
    severa,
    tripletex,
    visma_connect,
    visma_net,
)
from sandbox.errors import ControlError
from sandbox.system import System

# One line a system; the paths of two systems never meet.
SYSTEMS: tuple[System, ...] = (
    eaccounting.SYSTEM,
    netvisor.SYSTEM,
    fivaldi.SYSTEM,
    payslip.SYSTEM,
    economic.SYSTEM,
    maventa.SYSTEM,
    procountor.SYSTEM,
    severa.SYSTEM,
    tripletex.SYSTEM,
    visma_connect.SYSTEM,
    visma_net.SYSTEM,
    *product_apis.SYSTEMS,
)  # fmt: skip


def system(name: str) -> System:
    """The system of that name.

    Raises: ControlError naming those that there are.
    """
    found = next((one for one in SYSTEMS if one.name == name), None)
    if found is None:
        raise ControlError(f"no system {name}; there are {', '.join(one.name for one in SYSTEMS)}")
    return found
