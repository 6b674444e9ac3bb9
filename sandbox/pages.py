"""The HTML a person sees, at every site of the sandbox; plain forms that work without JavaScript."""

from dataclasses import replace
from html import escape

from sandbox.exchange import NO_STORE, Reply
from sandbox.interactions import Interaction
from sandbox.scopes import distinct
from sandbox.secrecy import new_token
from sandbox.site import Site
from sandbox.users import Company, User

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif;
  --ink: #1b2733; --paper: #fff; --desk: #eef1f5; --faint: #51606f; --accent: #0b5cad; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: var(--desk); color: var(--ink); }
main { background: var(--paper); padding: 2rem; border-radius: .75rem; box-shadow: 0 1px 12px #0002;
  width: min(26rem, calc(100vw - 2rem)); box-sizing: border-box; }
.badge { display: inline-block; background: #ffe08a; color: #3d2f00; border-radius: 1rem; padding: 0 .75rem;
  font-size: .85rem; }
h1 { font-size: 1.35rem; margin: .75rem 0; }
label, legend { font-weight: 600; }
fieldset { border: 0; padding: 0; margin: 0 0 1rem; }
input[type=text], input[type=password] { width: 100%; box-sizing: border-box; padding: .6rem;
  margin: .25rem 0 1rem; border: 1px solid #8a97a6; border-radius: .4rem; font: inherit; }
.choice { padding: .4rem 0; }
.choice label { font-weight: 400; }
button { font: inherit; font-weight: 600; padding: .6rem 1.4rem; border-radius: .4rem; cursor: pointer;
  border: 1px solid var(--accent); background: var(--accent); color: #fff; }
button.quiet { background: transparent; color: var(--ink); border-color: currentColor; }
button:focus-visible, input:focus-visible { outline: 3px solid #f0a020; outline-offset: 2px; }
.error { background: #fde8e8; color: #8a1212; border-radius: .4rem; padding: .6rem .8rem; }
code { font-size: .85em; color: var(--faint); }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ecf2; --paper: #1a232d; --desk: #10161d; --faint: #a5b3c1; }
}
"""
HEADERS = {
    **NO_STORE,
    # No form-action: browsers apply it to redirects too, and Allow must lead back to the client.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def place(site: Site, page: str, walk: Interaction) -> str:
    """The path of one page of the walk."""
    return f"{site.base}/account/{page}/{walk.id}"


def sign_in(site: Site, walk: Interaction, username: str, problem: str) -> Reply:
    """The sign-in form; 400 when it comes back with a problem."""
    notice = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        f"Sign in to {site.product}",
        f"""{notice}<form method="post" action="{place(site, "sign-in", walk)}">{_csrf(walk)}
<label for="username">User name (e-mail)</label>
<input type="text" id="username" name="username" autocomplete="username" required value="{escape(username)}">
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required>
<button type="submit">Sign in</button></form>""",
        400 if problem else 200,
    )


def company(site: Site, walk: Interaction, user: User) -> Reply:
    """The user's companies as radio buttons, the first one chosen."""
    choices = "".join(_choice(one, first=number == 0) for number, one in enumerate(user.companies))
    body = choices or f"<p>You have no {site.choice} with {site.product}.</p>"
    return _page(
        f"Choose a {site.choice}",
        f"""<form method="post" action="{place(site, "company", walk)}">{_csrf(walk)}
<fieldset><legend>Which {site.choice} is this about?</legend>{body}</fieldset>
<button type="submit">Continue</button></form>""",
    )


def consent(site: Site, walk: Interaction, user: User, chosen: Company | None) -> Reply:
    """What the client asks for, each scope in words."""
    scopes = distinct(walk.asked.scope)
    asked = "".join(f"<li>{escape(site.words(one))} <code>{escape(one)}</code></li>" for one in scopes)
    return _page(
        f"Allow access to {chosen.name if chosen else site.product}?",
        f"""<p>You are signed in as <strong>{escape(user.username)}</strong>. The application
<strong>{escape(walk.asked.client_id)}</strong> asks for:</p><ul>{asked}</ul>
<form method="post" action="{place(site, "consent", walk)}">{_csrf(walk)}
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny" class="quiet">Deny</button></form>""",
    )


def form_post(uri: str, members: dict[str, str]) -> Reply:
    """A form that sends itself to the client, with a button where scripts are off.

    Source: OAuth 2.0 Form Post Response Mode.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in members.items()
    )
    nonce = new_token()
    reply = _page(
        "One moment",
        f"""<form method="post" action="{escape(uri)}">{hidden}
<button type="submit">Continue</button></form>
<script nonce="{nonce}">document.forms[0].submit()</script>""",
    )
    policy = f"{reply.headers['Content-Security-Policy']}; script-src 'nonce-{nonce}'"
    return replace(reply, headers={**reply.headers, "Content-Security-Policy": policy})


def error(text: str, status: int) -> Reply:
    """A page for a request that leads nowhere."""
    return _page("This did not work", f'<p class="error" role="alert">{escape(text)}</p>', status)


def _choice(one: Company, *, first: bool) -> str:
    checked = " checked" if first else ""
    name = f"{escape(one.name)} <code>{escape(one.corporate_identity_number)}</code>"
    field = f'<input type="radio" name="company" id="c-{escape(one.id)}" value="{escape(one.id)}"{checked}>'
    return f'<div class="choice">{field} <label for="c-{escape(one.id)}">{name}</label></div>'


def _csrf(walk: Interaction) -> str:
    return f'<input type="hidden" name="csrf" value="{walk.csrf}">'


def _page(title: str, body: str, status: int = 200) -> Reply:
    html = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - sandbox</title><style>{STYLE}</style></head>
<body><main><span class="badge">Sandbox: no real company data</span><h1>{escape(title)}</h1>
{body}</main></body></html>"""
    return Reply(status, html.encode("utf-8", "replace"), "text/html", dict(HEADERS))
