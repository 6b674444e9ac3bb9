from __future__ import annotations

import ssl

import pytest

from providers.errors import ProviderUnavailable
from tests.providers.outbound.doors import door, failure, post
from tests.providers.peer import Peer, answering


class TestTls:
    def test_an_untrusted_certificate_is_refused_before_anything_is_sent(self, certificate):
        with Peer(answering("200 OK"), tls=certificate.server) as peer:
            error = failure(f"https://localhost:{peer.port}/")
        assert not error.sent
        assert peer.requests == []

    def test_the_name_is_verified_and_not_the_address(self, certificate):
        with Peer(answering("200 OK", b"{}"), tls=certificate.server) as peer:
            trusting = door(ssl_context=certificate.client)
            assert post(trusting, f"https://localhost:{peer.port}/").status == 200
            with pytest.raises(ProviderUnavailable) as caught:
                post(door(ssl_context=certificate.client), f"https://127.0.0.1:{peer.port}/")
        assert not caught.value.sent
        assert certificate.names == ["localhost", None]

    def test_old_tls_is_not_spoken(self):
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        door(ssl_context=context)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
