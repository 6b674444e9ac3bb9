"""The catalogue, read and checked once, and the providers it makes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from providers.coded import CODED
from providers.definition import ProviderDefinition, check_definition
from providers.entered import EnteredProvider
from providers.errors import DefinitionError, UnknownProvider, UnsupportedOperation
from providers.generic import OAuthProvider
from providers.interface import AUTHORIZES
from providers.outbound import Outbound
from providers.signing import SigningProvider

CATALOGUE = Path(__file__).parent / "catalogue"
AnyProvider = OAuthProvider | SigningProvider | EnteredProvider


class Registry:
    """Every provider of the catalogue, by id."""

    def __init__(self, providers: Mapping[str, AnyProvider]) -> None:
        self._providers: Mapping[str, AnyProvider] = MappingProxyType(dict(providers))

    @classmethod
    def load(cls, outbound: Outbound, extra_directory: Path | None = None, allow_loopback: bool = False) -> Registry:
        """The registry of our catalogue and of one more folder.

        Shape:  a file of the extra folder is a provider of its own, or `extends` one by environments. A file that
                is `based_on` another starts as that one; its own keys win, tables merge, lists replace.
        Raises: DefinitionError naming file, key and what is expected.
        """
        definitions = load_definitions(extra_directory, allow_loopback=allow_loopback)
        return cls({each.id: make_provider(each, outbound, allow_loopback) for each in definitions.values()})

    def get(self, provider_id: str) -> OAuthProvider:
        """The OAuth provider with this id.

        Raises: UnknownProvider; UnsupportedOperation for a provider of another kind, see `find`.
        """
        found = self.find(provider_id)
        if not isinstance(found, OAuthProvider):
            raise UnsupportedOperation(provider_id=provider_id, operation=AUTHORIZES, supported=found.capabilities)
        return found

    def find(self, provider_id: str) -> AnyProvider:
        """The provider with this id, of whatever kind; its `capabilities` say what it can do.

        Raises: UnknownProvider.
        """
        try:
            return self._providers[provider_id]
        except KeyError:
            raise UnknownProvider(provider_id) from None

    def ids(self) -> tuple[str, ...]:
        """All provider ids, sorted."""
        return tuple(sorted(self._providers))

    def definitions(self) -> Mapping[str, ProviderDefinition]:
        """All definitions by provider id."""
        return {provider_id: self._providers[provider_id].definition for provider_id in self.ids()}


def make_provider(definition: ProviderDefinition, outbound: Outbound, allow_loopback: bool) -> AnyProvider:
    """The provider that a definition describes: of its own class where one is written for its id.

    Raises: DefinitionError for a definition that only code could serve, and none does.
    """
    own = CODED.get(definition.id)
    if own is not None:
        return own(definition, outbound, allow_loopback=allow_loopback)
    if definition.signing is not None:
        raise DefinitionError(file=definition.id, key="signing", expected="an id that a module of ours knows")
    kind = OAuthProvider if "authorization_code" in definition.grant_types_supported else EnteredProvider
    return kind(definition, outbound, allow_loopback=allow_loopback)


def load_definitions(
    extra_directory: Path | None = None, *, allow_loopback: bool = False
) -> dict[str, ProviderDefinition]:
    """The checked definitions of our catalogue and of one more folder, by id.

    Raises: DefinitionError.
    """
    tables: dict[str, tuple[str, dict[str, Any]]] = {}
    extensions: list[tuple[str, dict[str, Any]]] = []
    read = [(file, _read_ours(file)) for file in _files(CATALOGUE)]
    if extra_directory:
        read += [(file, _read(file)) for file in _files(extra_directory)]
    for file, table in read:
        if "extends" in table:
            extensions.append((file.name, table))
        else:
            _add(tables, file, table)
    tables = {each: (file, _with_base(tables, each)) for each, (file, _) in tables.items()}
    for name, extension in extensions:
        _extend(tables, name, extension)
    return {each: _definition(file, table, allow_loopback) for each, (file, table) in tables.items()}


def _files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise DefinitionError(file=directory.name, key="(folder)", expected="a folder of .toml files")
    return sorted(directory.glob("*.toml"))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(file=file.name, key="(file)", expected=f"TOML in UTF-8: {error}") from None


# Part of the program: no file of it changes while it runs, and nobody changes its table.
_read_ours = cache(_read)


def _add(tables: dict[str, tuple[str, dict[str, Any]]], file: Path, table: dict[str, Any]) -> None:
    if table.get("id") != file.stem:
        raise DefinitionError(file=file.name, key="id", expected=f"{file.stem!r}, the file's name")
    if file.stem in tables:
        raise DefinitionError(file=file.name, key="id", expected="an id that no other file has; or use extends")
    tables[file.stem] = (file.name, table)


def _with_base(
    tables: Mapping[str, tuple[str, dict[str, Any]]], provider_id: str, seen: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A provider's table on top of the one it is based on, and that on top of its own."""
    file, table = tables[provider_id]
    base = table.get("based_on")
    if base is None:
        return table
    if base not in tables or base in (provider_id, *seen):
        raise DefinitionError(file=file, key="based_on", expected="the id of another provider, and no circle")
    own = {key: value for key, value in table.items() if key != "based_on"}
    return _merged(_with_base(tables, base, (provider_id, *seen)), own)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(below[key], above[key]) for key in below.keys() & above.keys() if _tables(below, above, key)}
    return {**below, **above, **both}


def _tables(below: dict[str, Any], above: dict[str, Any], key: str) -> bool:
    return isinstance(below[key], dict) and isinstance(above[key], dict)


def _extend(tables: dict[str, tuple[str, dict[str, Any]]], name: str, extension: dict[str, Any]) -> None:
    """Adds the extension's environments to the definition it names; it can change nothing that is there."""
    if set(extension) != {"extends", "environments"} or not isinstance(extension["environments"], dict):
        raise DefinitionError(file=name, key="extends", expected="nothing beside it but [environments.<name>]")
    if extension["extends"] not in tables:
        raise DefinitionError(file=name, key="extends", expected="the id of a provider in the catalogue")
    file, table = tables[extension["extends"]]
    for environment in extension["environments"].keys() & table.get("environments", {}).keys():
        raise DefinitionError(file=name, key=f"environments.{environment}", expected=f"a name {file} lacks")
    environments = {**table.get("environments", {}), **extension["environments"]}
    tables[extension["extends"]] = (f"{file} + {name}", {**table, "environments": environments})


def _definition(file: str, table: dict[str, Any], allow_loopback: bool) -> ProviderDefinition:
    try:
        definition = msgspec.convert(table, ProviderDefinition)
    except msgspec.ValidationError as error:
        message, _, key = str(error).partition(" - at ")
        raise DefinitionError(file=file, key=key.strip("`$.") or "(top)", expected=message) from None
    check_definition(definition, file=file, allow_loopback=allow_loopback)
    return definition
