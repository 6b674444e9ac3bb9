"""Proof Key for Code Exchange: S256 and nothing else."""

from __future__ import annotations

import re

from authlib.oauth2.rfc7636 import create_s256_code_challenge

CODE_CHALLENGE_METHOD = "S256"
_CODE_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def code_challenge(code_verifier: str) -> str:
    """The S256 challenge of a verifier.

    Raises: ValueError when the verifier is not 43 to 128 unreserved characters.
    Source: RFC 7636 sections 4.1 and 4.2.
    """
    if not _CODE_VERIFIER.fullmatch(code_verifier):
        raise ValueError("a code_verifier is 43 to 128 unreserved characters")
    return str(create_s256_code_challenge(code_verifier))
