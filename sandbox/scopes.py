"""The scopes of the vendor, in the words of its consent page."""

SCOPES = {
    "ea:api": "Use the eAccounting API in your name",
    "ea:sales": "Read and change sales: customers, invoices, orders",
    "ea:sales_readonly": "Read sales: customers, invoices, orders",
    "ea:purchase": "Read and change purchases and suppliers",
    "ea:purchase_readonly": "Read purchases and suppliers",
    "ea:accounting": "Read and change the bookkeeping",
    "ea:accounting_readonly": "Read the bookkeeping",
    "ea:settings": "Read and change company settings",
    "ea:settings_readonly": "Read company settings",
    "vls:api": "Use the payroll API in your name",
    "offline_access": "Stay connected while you are away",
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your mail address",
}
MANDATORY = "ea:api"


def distinct(scope: str) -> list[str]:
    """The scope tokens in the order given, each once."""
    return list(dict.fromkeys(scope.split()))


def unknown(scope: str, allowed: tuple[str, ...] | None) -> list[str]:
    """Those scope tokens that the vendor does not know or the client may not ask for."""
    return [one for one in distinct(scope) if one not in SCOPES or (allowed is not None and one not in allowed)]
