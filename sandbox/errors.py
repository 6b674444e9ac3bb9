"""How the sandbox refuses: what the client is told, and what the log says."""


class OAuthError(Exception):
    """An error response of the token or revocation endpoint, or one sent back through the browser.

    Source: RFC 6749 sections 4.1.2.1 and 5.2.
    """

    def __init__(self, error: str, description: str, *, status: int = 400, decision: str = "") -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.decision = decision or error


class PageError(Exception):
    """A request that must end on an error page because nobody may be redirected.

    Source: RFC 6749 section 4.1.2.1, first paragraph.
    """

    def __init__(self, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.description = description
        self.status = status


class ControlError(Exception):
    """A control request that cannot be carried out."""

    def __init__(self, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.description = description
        self.status = status
