"""Systems whose requests are signed one by one."""

import json
from collections.abc import Iterator

from embedded.demo.systems.description import Breach, Call, Run, System, Thing, business_id, secret


def systems(run: Run) -> Iterator[System]:
    """Return Netvisor and Fivaldi."""
    yield _netvisor(run)
    yield _fivaldi(run)


def _netvisor(run: Run) -> System:
    partner, user = f"P_{secret()[:12]}", f"AC_{secret()[:12]}"
    first, second, organisation = secret(), secret(), business_id()
    customer = Thing(
        path=f"netvisor/customers/{user}", members={"key": first, "organisation_id": organisation, "name": "Acme Oy"}
    )
    partner_key = secret()
    return System(
        provider="netvisor",
        name="Netvisor",
        client_id=partner,
        secret=partner_key,
        parameters={"sender": "Acme demo", "language": "EN"},
        things=(Thing(path=f"netvisor/partners/{partner}", members={"key": partner_key}), customer),
        typed={"customer_id": user, "customer_key": first, "organisation_id": organisation},
        wrong={"customer_key": secret()},
        calls=(Call(path="/customerlist.nv?keyword=%C3%A5kerlund", says="Tampereen Työkalu Ky"),),
        breach=Breach(
            told="the key was replaced in Netvisor",
            before=(Thing(path=customer.path, members={**(customer.members or {}), "key": second}),),
            typed={"customer_key": second},
        ),
    )


def _fivaldi(run: Run) -> System:
    partner, partner_secret, cuid, company = f"partner-{secret()[:8]}", secret(), secret(), business_id()
    text = "Ångström & Söner"
    voucher = json.dumps({"text": text, "amount": 100}, ensure_ascii=False)
    known = Thing(path=f"fivaldi/partners/{partner}", members={"secret": partner_secret, "companies": [cuid]})
    return System(
        provider="fivaldi",
        name="Fivaldi",
        client_id=partner,
        secret=partner_secret,
        things=(
            known,
            Thing(path=f"fivaldi/companies/{cuid}", members={"business_id": company, "name": "Acme Oy"}),
        ),
        typed={"company": company},
        wrong={"company": company[:-1] + str((int(company[-1]) + 1) % 10)},
        calls=(
            Call(path=f"/companies/{cuid}/customers?name=%C3%A5%20%26%20%C3%B6", says="Kallio Kahvila Oy"),
            Call(
                method="POST",
                path=f"/companies/{cuid}/vouchers?series=%C3%A5",
                body=voucher,
                content_type="application/json; charset=utf-8",
                says=json.dumps(text)[1:-1],
            ),
        ),
        breach=Breach(
            told="the partner user lost its permission",
            before=(Thing(path=known.path, members={"secret": partner_secret}),),
            afterwards=(known,),
            verdict="right_missing",
        ),
    )
