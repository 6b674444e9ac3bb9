from __future__ import annotations

import pytest

from providers.definition.templates import fill, is_template, variables


def test_variables_are_found_and_filled_in():
    template = "{api_base_url}/x/{parameters.redirect_uri}?a={extras.Company-Id}"
    assert variables(template) == {"api_base_url", "parameters.redirect_uri", "extras.Company-Id"}
    assert fill(template, {"api_base_url": "b", "parameters.redirect_uri": "r"}) == "b/x/r?a="


def test_a_value_is_not_a_template():
    assert fill("{a}{b}", {"a": "{b}", "b": "1"}) == "{b}1"


@pytest.mark.parametrize("text", ["{", "a}", "{A}", "{}", "{a b}", "{a.b.c}", "{{a}}", "{0}", "{a!r}"])
def test_other_braces_are_mistakes(text):
    assert not is_template(text)
