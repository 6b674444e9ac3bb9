"""What a client registration has to be before it is stored."""

from broker.errors import InvalidRequest
from broker.services import directory
from providers.definition import ProviderDefinition
from providers.errors import RequestRefused
from providers.messages import ClientRegistration as Registration


def check(registration: Registration, *, of_one_tenant: bool) -> None:
    """Nothing when the provider can be used with it. Raises InvalidRequest naming the field, ProviderNotAvailable."""
    provider = directory.provider(registration.provider_id)
    definition = provider.definition
    if registration.environment not in definition.environments:
        raise InvalidRequest(f"environment must be one of {', '.join(definition.environments)}")
    _check_scopes(registration, definition)
    _check_auth_method(registration, definition)
    try:
        provider.check_registration(registration)
    except RequestRefused as error:
        raise InvalidRequest(f"{error.field}: {error.expected or error.problem}") from None
    if not of_one_tenant:
        _check_shared(registration, definition)


def _check_scopes(registration: Registration, definition: ProviderDefinition) -> None:
    unknown = [scope for scope in sorted(registration.scopes) if not definition.has_scope(scope)]
    if unknown:
        has = ", ".join(entry.name for entry in definition.scopes_supported) or "none"
        raise InvalidRequest(f"unknown scope {unknown[0][:200]!r}; the provider has {has}")


def _check_auth_method(registration: Registration, definition: ProviderDefinition) -> None:
    method, known = registration.token_endpoint_auth_method, definition.token_endpoint_auth_methods_supported
    if method is not None and method not in known:
        raise InvalidRequest(f"token_endpoint_auth_method must be one of {', '.join(known)}")


def _check_shared(registration: Registration, definition: ProviderDefinition) -> None:
    """What opens the accounts of all customers must not serve tenants that have nothing to do with each other."""
    if definition.one_tenant_only:
        raise InvalidRequest("tenant: this registration opens all accounts at once, so it has to belong to one tenant")
    for field in definition.registration_fields:
        given = registration.parameters.get(field.name, field.default)
        if given in field.one_tenant_choices:
            raise InvalidRequest(
                f"parameters.{field.name}: {given} is only for a registration that belongs to one tenant"
            )
