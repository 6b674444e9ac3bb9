from __future__ import annotations

import pytest

from providers.protocol.pkce import CODE_CHALLENGE_METHOD, code_challenge


def test_the_challenge_is_the_one_of_rfc_7636_appendix_b():
    assert CODE_CHALLENGE_METHOD == "S256"
    assert (
        code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + "+", "a" * 43 + "\n"])
def test_a_verifier_that_is_none_is_refused(verifier):
    with pytest.raises(ValueError, match="unreserved"):
        code_challenge(verifier)
