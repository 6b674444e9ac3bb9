"""Who signs in at the support desk, and what they find there."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tenants.models import Connection


@pytest.fixture
def support_group(db: None) -> Group:
    """The group as its migration made it."""
    return Group.objects.get(name="support")


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root-anna")


@pytest.fixture
def supporter(support_group: Group) -> User:
    user = User.objects.create_user("support-ben", is_staff=True)
    user.groups.add(support_group)
    return user


@pytest.fixture
def bystander(db: None) -> User:
    """Staff, but in no group."""
    return User.objects.create_user("staff-carl", is_staff=True)


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    """Aalto, connected at the sandbox."""
    return connect()


@pytest.fixture
def root(superuser: User) -> Client:
    return _signed_in(superuser)


@pytest.fixture
def support(supporter: User) -> Client:
    return _signed_in(supporter)


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
