"""The pages a person walks through: sign in, choose a company, consent."""

from dataclasses import replace

from sandbox import pages
from sandbox.errors import PageError
from sandbox.exchange import Exchange, Reply, redirect
from sandbox.interactions import Interaction
from sandbox.secrecy import new_token, same
from sandbox.site import Site
from sandbox.state import Sandbox
from sandbox.users import User

COOKIE = "sandbox_browser"


def browser_of(exchange: Exchange) -> tuple[str, bool]:
    """The browser's cookie value, and whether it is a fresh one that has yet to be set."""
    known = _cookie(exchange)
    return (known, False) if known else (new_token(), True)


def with_browser(reply: Reply, browser: str, fresh: bool) -> Reply:
    """The reply, setting the cookie if it is fresh."""
    if not fresh:
        return reply
    # Lax, not Strict: the person arrives from the client's site.
    cookie = f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax"
    return replace(reply, headers={**reply.headers, "Set-Cookie": cookie})


def next_page(sandbox: Sandbox, site: Site, walk: Interaction) -> Reply:
    """A redirect to the page that is still open: sign-in, company or consent."""
    user = site.person(sandbox, walk.user_id)
    if user is None:
        return redirect(pages.place(site, "sign-in", walk))
    chooses = site.chooses(walk.asked.scope)
    if chooses and not walk.company_id and len(user.companies) == 1:
        walk.company_id = user.companies[0].id
    chosen = walk.company_id or not chooses
    return redirect(pages.place(site, "consent" if chosen else "company", walk))


def show_sign_in(site: Site, sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The form for name and password."""
    walk = walk_of(site, sandbox, exchange)
    exchange.decide("page")
    return pages.sign_in(site, walk, walk.asked.login_hint, "")


def take_sign_in(site: Site, sandbox: Sandbox, exchange: Exchange) -> Reply:
    """On to the next page, or the form again."""
    walk, form = posted(site, sandbox, exchange)
    username = form.get("username", "")
    user = site.entered(sandbox, username, form.get("password", ""))
    if user is None:
        exchange.decide("sign_in_refused", "unknown name or wrong password")
        return pages.sign_in(site, walk, username, "The user name and the password do not belong together.")
    exchange.entry.user = walk.user_id = user.id
    sandbox.interactions.sign_in(walk.browser, site.name, user.id)
    exchange.decide("signed_in")
    return next_page(sandbox, site, walk)


def show_company(site: Site, sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The companies to choose from."""
    walk = walk_of(site, sandbox, exchange)
    user = signed_in(site, sandbox, walk)
    exchange.decide("page")
    return pages.company(site, walk, user)


def take_company(site: Site, sandbox: Sandbox, exchange: Exchange) -> Reply:
    """On to consent with the chosen company.

    Raises: PageError for a company that is not the user's.
    """
    walk, form = posted(site, sandbox, exchange)
    chosen = signed_in(site, sandbox, walk).company(form.get("company", ""))
    if chosen is None:
        raise PageError("Choose one of your companies.")
    walk.company_id = chosen.id
    exchange.decide("company_chosen", chosen.name)
    return next_page(sandbox, site, walk)


def show_consent(site: Site, sandbox: Sandbox, exchange: Exchange) -> Reply:
    """What the client asks for, with Allow and Deny."""
    walk = walk_of(site, sandbox, exchange)
    user = signed_in(site, sandbox, walk)
    company = user.company(walk.company_id)
    if company is None and site.chooses(walk.asked.scope):
        return next_page(sandbox, site, walk)
    exchange.decide("page")
    return pages.consent(site, walk, user, company)


def walk_of(site: Site, sandbox: Sandbox, exchange: Exchange) -> Interaction:
    """The walk named in the path, if this browser began it at this site.

    Raises: PageError.
    """
    walk = sandbox.interactions.of(exchange.request.match_info["walk"], _cookie(exchange))
    if walk.site != site.name:
        raise PageError("This sign-in was begun at another site.", status=403)
    exchange.entry.client_id, exchange.entry.user = walk.asked.client_id, walk.user_id
    return walk


def posted(site: Site, sandbox: Sandbox, exchange: Exchange) -> tuple[Interaction, dict[str, str]]:
    """The walk and the form, if the form came from our own page.

    Raises: PageError.
    """
    walk, form = walk_of(site, sandbox, exchange), dict(exchange.form())
    if not same(form.get("csrf", ""), walk.csrf):
        raise PageError("The form did not come from this page. Go back and try again.", status=403)
    return walk, form


def signed_in(site: Site, sandbox: Sandbox, walk: Interaction) -> User:
    """The user of this walk.

    Raises: PageError before sign-in.
    """
    user = site.person(sandbox, walk.user_id)
    if user is None:
        raise PageError("Sign in first.", status=403)
    return user


def _cookie(exchange: Exchange) -> str:
    return exchange.request.cookies.get(COOKIE, "")
