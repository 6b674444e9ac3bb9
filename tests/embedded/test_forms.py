"""The demo's customer reads forms as a browser would."""

from embedded.demo.forms import read

PAGE = """<html><head><title>x</title><style>a{}</style></head><body><h1>Yhdistä &amp; jatka</h1>
<form method="post" action="/go"><input type="hidden" name="csrf" value="c1"><input name="username">
<input type="radio" name="company" value="a"><input type="radio" name="company" value="b" checked>
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>
<script>ignored()</script></body></html>"""


def test_fields_choices_and_buttons() -> None:
    forms, text = read(PAGE)
    assert [(form.action, form.method) for form in forms] == [("/go", "post")]
    assert forms[0].fields == {"csrf": "c1", "username": "", "company": "b"}
    assert forms[0].buttons == [("decision", "allow"), ("decision", "deny")]
    assert text == "Yhdistä & jatka Allow Deny"
