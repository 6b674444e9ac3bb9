"""manage.py verify_catalogue --provider PROVIDER --environment production"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand
from broker.services import directory
from providers.errors import ProviderError
from providers.generic import OAuthProvider


class Command(JsonCommand):
    help = "Compare the catalogue with the metadata that providers publish. Fails when one says otherwise."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provider", help="without it: every provider")
        parser.add_argument("--environment", help="without it: every environment")

    def act(self, **options: Any) -> dict[str, Any]:
        results = {
            f"{provider.id} {name}": _compare(provider, name)
            for provider in _asked(options["provider"])
            for name in provider.definition.environments
            if options["environment"] in (None, name)
        }
        if not results:
            raise CommandError("no provider has that environment")
        wrong = [f"{place}: {said}" for place, said in results.items() if said not in ("agrees", "publishes nothing")]
        if wrong:
            raise CommandError("\n".join(wrong))
        return results


def _asked(provider_id: str | None) -> list[OAuthProvider]:
    """Those that have an authorization server, whose metadata could say otherwise than the catalogue."""
    if provider_id:
        return [directory.authorizing(provider_id)]
    everybody = map(directory.provider, directory.registry().ids())
    return [each for each in everybody if isinstance(each, OAuthProvider)]


def _compare(provider: OAuthProvider, environment: str) -> str:
    try:
        found = provider.metadata_differences(environment)
    except ProviderError as error:
        return f"cannot be asked: {error}"
    if found is None:
        return "publishes nothing"
    return "; ".join(found) or "agrees"
