from __future__ import annotations

import pytest
from msgspec.structs import replace

from providers.definition import EnteredField
from providers.errors import RequestRefused
from providers.protocol.entered import MAXIMUM_LENGTH, read_entered, without_paste_marks

CANARY = "canary-5f2c"
GOOD = {"user": "XX_demo_1", "key": "0123456789abcdef", "company": "0112038-9", "either": "0112038-9"}


@pytest.fixture
def form(definition):
    fields = (
        EnteredField(name="user", label="User"),
        EnteredField(name="key", label="Key", pattern="[0-9a-f]{16}", expected="sixteen digits", secret=True),
        EnteredField(name="company", label="Company", kind="business_id"),
        EnteredField(name="either", label="Either", kind="identifier_or_business_id", pattern="[A-Z0-9]{16,}"),
    )
    return replace(definition, entered_fields=fields)


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("  XX_demo_1 \r\n", "XX_demo_1"),
        ("XX_demo\u00a0_1", "XX_demo_1"),
        ("\ufeffXX_demo_1\u200b", "XX_demo_1"),
        ("XX_\u00addemo_1", "XX_demo_1"),
        ("a\u2013b\u2212c\u2011d", "a-b-c-d"),
        ('"XX_demo_1"', "XX_demo_1"),
        ("\u201dXX_demo_1\u201d", "XX_demo_1"),
        ("0123 4567\t89ab\u202fcdef", "0123456789abcdef"),
        ("aBc", "aBc"),
    ],
)
def test_what_copying_adds_is_taken_off(pasted, meant):
    assert without_paste_marks(pasted) == meant


def test_a_filled_form_is_a_credential(form):
    typed = {"user": " XX_demo_1 ", "key": "01234567 89abcdef", "company": "FI 0112038\u20139", "either": "01120389"}
    fields = read_entered(form, typed).fields
    assert {name: secret.reveal() for name, secret in fields.items()} == GOOD


def test_an_identifier_that_is_no_business_id_is_kept_as_it_is(form):
    assert read_entered(form, {**GOOD, "either": "4CAB000000000000"}).fields["either"].reveal() == "4CAB000000000000"


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"user": ""}, "user", "missing"),
        ({"user": " \u200b "}, "user", "missing"),
        ({"user": "ä"}, "user", "pattern"),
        ({"user": "a" * (MAXIMUM_LENGTH + 1)}, "user", "too_long"),
        ({"key": CANARY}, "key", "pattern"),
        ({"company": CANARY}, "company", "not_a_business_id"),
        ({"company": "0112038-8"}, "company", "check_digit"),
        ({"either": "1234567-8"}, "either", "check_digit"),
        ({"either": CANARY}, "either", "pattern"),
        ({"more": "x"}, "more", "unknown_field"),
        ({"<b>": "x"}, "(unknown)", "unknown_field"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name_and_not_repeated(form, change, field, problem):
    with pytest.raises(RequestRefused) as caught:
        read_entered(form, {**GOOD, **change})
    assert (caught.value.field, caught.value.problem) == (field, problem)
    assert caught.value.expected
    assert CANARY not in str(caught.value)


def test_an_absent_field_is_missing(form):
    with pytest.raises(RequestRefused) as caught:
        read_entered(form, {})
    assert (caught.value.field, caught.value.problem) == ("user", "missing")


class TestWays:
    @pytest.fixture
    def two_ways(self, definition):
        fields = (
            EnteredField(name="agreement", label="Agreement"),
            EnteredField(name="company", label="Company", way="account"),
            EnteredField(name="key", label="Key", way="account", secret=True),
            EnteredField(name="user", label="User", way="login"),
            EnteredField(name="password", label="Password", way="login", secret=True),
        )
        return replace(definition, entered_fields=fields)

    @pytest.mark.parametrize("names", [("company", "key"), ("user", "password")])
    def test_one_of_them_is_filled_in(self, two_ways, names):
        nothing_seen = dict.fromkeys(("company", "key", "user", "password"), " \u200b")
        typed = {"agreement": "a", **nothing_seen, **dict.fromkeys(names, "x")}
        assert set(read_entered(two_ways, typed).fields) == {"agreement", *names}

    @pytest.mark.parametrize(
        ("typed", "field", "problem"),
        [
            ({}, "company", "missing"),
            ({"company": "c"}, "key", "missing"),
            ({"password": "p"}, "user", "missing"),
            ({"company": "c", "key": "k", "user": "u"}, "user", "two_ways"),
            ({"key": "k", "password": "p"}, "password", "two_ways"),
            ({"company": "c", "key": "k", "user": "u" * (MAXIMUM_LENGTH + 1)}, "user", "two_ways"),
        ],
    )
    def test_none_or_both_are_refused_by_name(self, two_ways, typed, field, problem):
        with pytest.raises(RequestRefused) as caught:
            read_entered(two_ways, {"agreement": "a", **typed})
        assert (caught.value.field, caught.value.problem) == (field, problem)


def test_a_form_may_have_no_fields_at_all(definition):
    assert read_entered(definition, {}).fields == {}
    with pytest.raises(RequestRefused):
        read_entered(definition, {"user": "x"})
