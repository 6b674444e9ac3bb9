"""Which of several companies: after the consent, for a token that reaches more than one."""

from collections import Counter
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from broker.connect import asking, cookies, pages, redirects, refusals
from broker.connect.failures import friendly
from broker.connect.refusals import Trouble
from broker.errors import InvalidRequest
from broker.services import authorize, choosing, directory
from broker.services.choosing import EntryRefused
from providers.errors import one_line
from providers.messages import Company
from tenants.models import AuthorizationRequest

UNPROCESSABLE = 422
# A vendor's text on our page: long enough for names of companies, too short to be a page of its own.
_NAME_LIMIT = 120


@friendly("GET", "HEAD", "POST")
def company(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """The companies to choose from, for the browser that was there; the choice ends the flow."""
    flow = authorize.find_flow(flow_id, cookies.browser_secret(request))
    found = choosing.companies_of(flow) if redirects.is_choosing(flow) else ()
    if not found:
        return redirects.to_result(flow)
    return _choose(request, flow, found) if request.method == "POST" else _ask(request, flow, found)


def _choose(request: HttpRequest, flow: AuthorizationRequest, found: tuple[Company, ...]) -> HttpResponse:
    picked = request.POST.getlist("company")
    if len(picked) > 1:
        raise InvalidRequest("choose one company")
    try:
        return redirects.onward(choosing.choose_company(flow, "".join(picked)))
    except EntryRefused as refused:
        with translation.override(pages.language_of(request, flow.session)):
            trouble = _trouble(flow, refused)
        return _ask(request, flow, found, trouble)


def _ask(
    request: HttpRequest, flow: AuthorizationRequest, found: tuple[Company, ...], trouble: Trouble | None = None
) -> HttpResponse:
    session = flow.session
    language = pages.language_of(request, session)
    context = {
        **_names(flow),
        "companies": _listed(found),
        "repairs": session.connection is not None,
        "languages": pages.language_links(request, language),
        "trouble": trouble,
    }
    status = UNPROCESSABLE if trouble else 200
    response = pages.page(request, "company.html", context, language=language, status=status)
    return pages.let_opener_see(response, session)


def _listed(found: tuple[Company, ...]) -> list[dict[str, str]]:
    """Names as text; of those that read the same the id as well."""
    often = Counter(_shown(one) for one in found)
    return [{"id": one.id, "name": _shown(one), "mark": one.id if often[_shown(one)] > 1 else ""} for one in found]


def _shown(one: Company) -> str:
    name = one_line(one.name, _NAME_LIMIT) or one.id
    return name + "…" if len(one.name) > _NAME_LIMIT else name


def _names(flow: AuthorizationRequest) -> dict[str, str]:
    return {
        "provider": directory.provider(flow.provider_id).definition.display_name,
        "tenant": flow.session.tenant.name,
        "account": asking.account_name(flow.session),
    }


def _trouble(flow: AuthorizationRequest, refused: EntryRefused) -> Trouble:
    return refusals.trouble(refused, directory.provider(flow.provider_id).definition, {}, _names(flow))
