"""Systems where the customer signs in, and the service applications beside them."""

import json
import uuid
from collections.abc import Iterator

from embedded.demo.systems.description import Breach, Call, Run, System, Thing, secret

COMPANY = "Acme Oy"
# Visma Connect's access tokens live until they end, whatever becomes of the consent: the demo waits for that.
TOKEN_SECONDS = 8
GRAPHQL = json.dumps({"query": "{ availableCompanies { items { vismaNetCompanyId name } } }"})


def systems(run: Run) -> Iterator[System]:
    """Return Visma.net and what signs in with Visma Connect."""
    yield _visma_net(run)
    yield _connect(run, "visma-net-erp", "Visma.net ERP", _get("/v1/company"))
    yield _connect(run, "business-nxt", "Business NXT", _query("/graphql"))
    yield _connect(run, "dinero", "Dinero", _get("/organizations"))
    yield _connect(run, "yuki", "Yuki", _get("/companies"))
    yield _service(run, "visma-net-erp-service", "Visma.net ERP, as a service", _get("/v1/company"))
    yield _service(run, "business-nxt-service", "Business NXT, as a service", _query("/graphql-service"))


def _get(path: str) -> Call:
    return Call(path=path, says=COMPANY)


def _query(path: str) -> Call:
    return Call(method="POST", path=path, body=GRAPHQL, content_type="application/json", says=COMPANY)


def _visma_net(run: Run) -> System:
    app, app_secret, password = f"{run.name}-vni", secret(), secret()
    username = f"{run.name}@visma-net.example"
    chosen, other = str(int(secret()[:7], 16)), str(int(secret()[:7], 16))
    companies = [{"id": other, "name": "Acme Holding AS", "licensed": False}, {"id": chosen, "name": "Acme Norge AS"}]
    application = {"secret": app_secret, "redirect_uris": [run.callback("visma-net")]}
    return System(
        provider="visma-net",
        name="Visma.net",
        client_id=app,
        secret=app_secret,
        things=(
            Thing(path=f"visma-net/apps/{app}", members=application),
            Thing(path=f"visma-net/users/{username}", members={"password": password, "companies": companies}),
        ),
        typed={"username": username, "password": password, "company": chosen},
        calls=(Call(path="/controller/api/v1/customer", says="Kallio Kahvila Oy"),),
        account="Acme Norge AS",
        breach=Breach(told="the user took the consent back", withdrawn=True),
    )


def _connect(run: Run, provider: str, name: str, call: Call) -> System:
    app, app_secret, password = f"isv_{secret()[:10]}", secret(), secret()
    tenant, username = str(uuid.uuid4()), f"{run.name}@{provider}.example"
    application = {
        "secret": app_secret,
        "redirect_uris": [run.callback(provider)],
        "access_token_seconds": TOKEN_SECONDS,
    }
    return System(
        provider=provider,
        name=name,
        client_id=app,
        secret=app_secret,
        things=(
            Thing(path=f"visma-connect/apps/{app}", members=application),
            Thing(path=f"visma-connect/tenants/{tenant}", members={"name": COMPANY}),
            Thing(path=f"visma-connect/users/{username}", members={"password": password, "tenants": [tenant]}),
        ),
        typed={"username": username, "password": password},
        calls=(call,),
        breach=Breach(told="the user took the consent back", withdrawn=True),
    )


def _service(run: Run, provider: str, name: str, call: Call) -> System:
    app, app_secret, tenant = f"isv_{secret()[:10]}", secret(), str(uuid.uuid4())
    application = {"secret": app_secret, "type": "service", "access_token_seconds": TOKEN_SECONDS}
    granted = Thing(path=f"visma-connect/tenants/{tenant}", members={"name": COMPANY, "apps": [app]})
    return System(
        provider=provider,
        name=name,
        client_id=app,
        secret=app_secret,
        things=(Thing(path=f"visma-connect/apps/{app}", members=application), granted),
        typed={"tenant_id": tenant},
        wrong={"tenant_id": str(uuid.uuid4())},
        calls=(call,),
        breach=Breach(
            told="the company's administrator took the approval back",
            before=(Thing(path=granted.path, members={"name": COMPANY}),),
            afterwards=(granted,),
            verdict="right_missing",
        ),
    )
