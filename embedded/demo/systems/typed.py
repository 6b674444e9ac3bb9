"""Systems whose keys the customer types in, and which then give out tokens, or take the keys as they are."""

import uuid
from collections.abc import Iterator

from embedded.demo.systems.description import Breach, Call, Run, System, Thing, secret

COMPANY = "Acme Oy"


def systems(run: Run) -> Iterator[System]:
    """Return Maventa and its neighbours."""
    yield _maventa(run)
    yield _maventa_operator(run)
    yield _payslip(run)
    yield _economic(run)
    yield _tripletex(run)
    yield _severa(run)
    yield _procountor(run)


def _maventa(run: Run) -> System:
    company, vendor_key, first, second = str(uuid.uuid4()), secret(), secret(), secret()
    path = f"maventa/companies/{company}"
    return System(
        provider="maventa",
        name="Maventa",
        client_id=f"{run.name}-erp",
        secret=vendor_key,
        things=(
            Thing(path=f"maventa/vendors/{vendor_key}", members={}),
            Thing(path=path, members={"name": COMPANY, "keys": {first: None}}),
        ),
        typed={"company_uuid": company, "user_api_key": first},
        wrong={"user_api_key": str(uuid.uuid4())},
        calls=(Call(path="/v1/companies", says=COMPANY),),
        further_scopes="company:read lookup",
        breach=Breach(
            told="the key was deleted in Maventa",
            before=(Thing(path=path, members={"name": COMPANY, "keys": {second: None}}),),
            typed={"user_api_key": second},
        ),
    )


def _maventa_operator(run: Run) -> System:
    operator, operator_secret = str(uuid.uuid4()), secret()
    scopes = ["operator:companies", "operator:lookup"]
    return System(
        provider="maventa-operator",
        name="Maventa, as an operator",
        client_id=operator,
        secret=operator_secret,
        scopes=tuple(scopes),
        things=(Thing(path=f"maventa/operators/{operator}", members={"secret": operator_secret, "scopes": scopes}),),
        calls=(Call(path="/status/authenticated", says=operator),),
    )


def _payslip(run: Run) -> System:
    company, first, second = str(uuid.uuid4()), secret(), secret()
    path = f"maventa-payslip/accounts/{company}"
    form = "application/x-www-form-urlencoded"
    return System(
        provider="maventa-payslip",
        name="Maventa Payslip",
        client_id=f"{run.name}-payroll",
        things=(Thing(path=path, members={"user_api_key": first}),),
        typed={"company_uuid": company, "user_api_key": first},
        wrong={"user_api_key": str(uuid.uuid4())},
        calls=(Call(method="POST", path="/file_status", body="filename=1.pdf", content_type=form, says="OK 1.pdf"),),
        breach=Breach(
            told="the key was replaced in Maventa",
            before=(Thing(path=path, members={"user_api_key": second}),),
            typed={"user_api_key": second},
        ),
    )


def _economic(run: Run) -> System:
    app, first, second = secret(), secret(), secret()
    agreement = {"number": int(secret()[:7], 16), "company": COMPANY}
    return System(
        provider="e-conomic",
        name="e-conomic",
        client_id=secret(),
        secret=app,
        things=(
            Thing(path=f"e-conomic/apps/{app}", members={"name": run.name}),
            Thing(path=f"e-conomic/agreements/{first}", members=agreement),
        ),
        typed={"grant_token": first},
        wrong={"grant_token": secret()},
        calls=(Call(path="/self", says=COMPANY),),
        breach=Breach(
            told="the app's access was removed in e-conomic",
            before=(Thing(path=f"e-conomic/agreements/{first}"),),
            afterwards=(Thing(path=f"e-conomic/agreements/{second}", members=agreement),),
            typed={"grant_token": second},
        ),
    )


def _tripletex(run: Run) -> System:
    consumer, first, second = secret(), secret(), secret()
    company = f"Acme {secret()[:6]} AS"
    return System(
        provider="tripletex",
        name="Tripletex",
        client_id=run.name,
        secret=consumer,
        things=(
            Thing(path=f"tripletex/consumers/{consumer}", members={"name": run.name}),
            Thing(path=f"tripletex/employees/{first}", members={"company": company}),
        ),
        typed={"employee_token": first},
        wrong={"employee_token": secret()},
        calls=(Call(path="/token/session/%3EwhoAmI", says=company),),
        breach=Breach(
            told="the key was deleted in Tripletex",
            before=(Thing(path=f"tripletex/employees/{first}"),),
            afterwards=(Thing(path=f"tripletex/employees/{second}", members={"company": company}),),
            typed={"employee_token": second},
        ),
    )


def _severa(run: Run) -> System:
    app, first, second = f"{run.name}.apps.severa", secret(), secret()
    scopes = ["organization:read", "hours:read"]
    members = {"secret": first, "scopes": scopes, "company": COMPANY}
    return System(
        provider="severa",
        name="Severa",
        client_id=run.name,
        scopes=tuple(scopes),
        things=(Thing(path=f"severa/apps/{app}", members=members),),
        typed={"severa_client_id": app, "severa_client_secret": first},
        wrong={"severa_client_secret": secret()},
        calls=(Call(path="/organizationdetails", says=COMPANY),),
        breach=Breach(
            told="the secret was renewed in Severa",
            before=(Thing(path=f"severa/apps/{app}", members={**members, "secret": second}),),
            typed={"severa_client_secret": second},
        ),
    )


def _procountor(run: Run) -> System:
    app, app_secret, first, second = f"{run.name}Client", secret(), secret(), secret()
    callback = "https://app.acme.example/procountor"
    return System(
        provider="procountor",
        name="Procountor",
        client_id=app,
        secret=app_secret,
        parameters={"redirect_uri": callback},
        things=(
            Thing(path=f"procountor/apps/{app}", members={"secret": app_secret, "redirect_uri": callback}),
            Thing(path=f"procountor/companies/{first}", members={"name": COMPANY}),
        ),
        typed={"api_key": first},
        wrong={"api_key": secret()},
        calls=(Call(path="/company", says=COMPANY),),
        breach=Breach(
            told="the key was deleted in Procountor",
            before=(Thing(path=f"procountor/companies/{first}"),),
            afterwards=(Thing(path=f"procountor/companies/{second}", members={"name": COMPANY}),),
            typed={"api_key": second},
        ),
    )
