from __future__ import annotations

from pathlib import Path

import pytest

from providers.coded import CODED
from providers.entered import EnteredProvider
from providers.errors import DefinitionError, UnknownProvider, UnsupportedOperation
from providers.generic import OAuthProvider
from providers.interface import SIGNS_REQUESTS
from providers.registry import Registry, load_definitions

WHOLE = """
id = "extra"
display_name = "Extra"
documentation = "https://docs.example"
verified_on = 2026-01-02
[environments.production]
issuer = "https://login.example"
authorization_endpoint = "https://login.example/authorize"
token_endpoint = "https://login.example/token"
api_base_url = "https://api.example"
"""
LOCAL = """
[environments.local]
issuer = "http://127.0.0.1:8100"
authorization_endpoint = "http://127.0.0.1:8100/authorize"
token_endpoint = "http://127.0.0.1:8100/token"
api_base_url = "http://127.0.0.1:8100/v2"
"""
SIGNS = """
id = "%s"
display_name = "Signs"
documentation = "https://docs.example"
verified_on = 2026-01-02
grant_types_supported = []
[signing]
methods = ["GET"]
[environments.production]
api_base_url = "https://api.example"
"""
ENTERS = """
id = "extra"
display_name = "Enters"
documentation = "https://docs.example"
verified_on = 2026-01-02
grant_types_supported = []
api_authorization = "none"
api_headers = { X-Key = "{key}" }
entered_fields = [{ name = "key", label = "Key", secret = true }]
[environments.production]
api_base_url = "https://api.example"
[external_account]
endpoint = "{api_base_url}/self"
subject_path = "number"
"""
OURS = next(each.id for each in load_definitions().values() if each.grant_types_supported)


@pytest.fixture
def folder(tmp_path: Path):
    def folder(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return folder


class TestLoad:
    def test_our_catalogue_and_an_extra_folder_are_one(self, outbound, folder):
        registry = Registry.load(outbound, folder(extra=WHOLE))
        assert {"extra", OURS} <= set(registry.ids())
        assert registry.get("extra").definition.display_name == "Extra"
        assert registry.definitions()["extra"] is registry.get("extra").definition

    def test_an_extension_adds_an_environment_and_changes_nothing_else(self, folder):
        before = load_definitions()[OURS]
        after = load_definitions(folder(local=f'extends = "{OURS}"{LOCAL}'), allow_loopback=True)[OURS]
        assert set(after.environments) == {*before.environments, "local"}
        assert after.environments["local"].api_base_url == "http://127.0.0.1:8100/v2"
        assert (after.quirks, after.traits, after.required_scopes) == (
            before.quirks,
            before.traits,
            before.required_scopes,
        )
        assert all(after.environments[name] == before.environments[name] for name in before.environments)

    def test_an_extension_works_on_a_provider_of_the_same_folder(self, folder):
        found = load_definitions(folder(aaa=f'extends = "extra"{LOCAL}', extra=WHOLE), allow_loopback=True)
        assert set(found["extra"].environments) == {"production", "local"}

    @pytest.mark.parametrize(
        ("files", "key"),
        [
            ({"extra": "id = "}, "(file)"),
            ({"other": WHOLE}, "id"),
            ({"extra": WHOLE.replace('id = "extra"', "")}, "id"),
            ({OURS: WHOLE.replace("extra", OURS)}, "id"),
            ({"extra": WHOLE + "[quirks]\nscope_seperator = ','"}, "quirks"),
            ({"extra": WHOLE.replace("documentation", "documentations")}, "(top)"),
            ({"extra": WHOLE.replace("2026-01-02", "'soon'")}, "verified_on"),
            (
                {"extra": WHOLE.replace("https://login.example/token", "http://login.example/token")},
                "environments.production.token_endpoint",
            ),
            ({"x": 'extends = "nobody"' + LOCAL}, "extends"),
            ({"x": f'extends = "{OURS}"'}, "extends"),
            ({"x": f'extends = "{OURS}"\ndisplay_name = "Ours"{LOCAL}'}, "extends"),
            ({"x": f'extends = "{OURS}"' + LOCAL.replace("local", "production")}, "environments.production"),
            ({"x": f'extends = "{OURS}"\nenvironments = 3'}, "extends"),
        ],
    )
    def test_a_wrong_file_stops_it_and_is_named(self, folder, files, key):
        with pytest.raises(DefinitionError) as caught:
            load_definitions(folder(**files), allow_loopback=key != "environments.production.token_endpoint")
        assert next(iter(files)) in caught.value.file
        assert caught.value.key == key

    def test_a_misspelt_quirk_is_named(self, folder):
        with pytest.raises(DefinitionError, match="scope_seperator"):
            load_definitions(folder(extra=WHOLE + "[quirks]\nscope_seperator = ','"))

    def test_loopback_is_refused_unless_allowed(self, folder):
        with pytest.raises(DefinitionError, match=r"environments\.local"):
            load_definitions(folder(local=f'extends = "{OURS}"{LOCAL}'))

    def test_a_folder_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(DefinitionError, match="nowhere"):
            load_definitions(tmp_path / "nowhere")

    def test_a_file_may_be_based_on_another(self, folder):
        based = """
id = "child"
based_on = "extra"
display_name = "Child"
default_scopes = ["read"]
scopes_supported = [{ name = "read", description = "Read" }]
[environments.production]
api_base_url = "https://child.example"
"""
        found = load_definitions(
            folder(child=based, extra=WHOLE, local=f'extends = "extra"{LOCAL}'), allow_loopback=True
        )
        child, base = found["child"], found["extra"]
        assert (child.id, child.display_name, child.documentation) == ("child", "Child", base.documentation)
        assert child.environments["production"].token_endpoint == base.environments["production"].token_endpoint
        assert child.environments["production"].api_base_url == "https://child.example"
        assert base.environments["production"].api_base_url == "https://api.example"
        assert base.default_scopes == ()
        # What is added to the base is an installation of the base.
        assert set(child.environments) == {"production"}

    def test_lists_replace(self, folder):
        base = WHOLE.replace("[env", 'ui_locales_supported = ["fi", "sv"]\n[env', 1)
        child = 'id = "child"\nbased_on = "extra"\nui_locales_supported = ["en"]\n'
        found = load_definitions(folder(child=child, extra=base))
        assert found["child"].ui_locales_supported == ("en",)

    @pytest.mark.parametrize(
        "files",
        [
            {"child": 'id = "child"\nbased_on = "nobody"\n'},
            {"child": 'id = "child"\nbased_on = "child"\n'},
            {"aa": 'id = "aa"\nbased_on = "bb"\n', "bb": 'id = "bb"\nbased_on = "aa"\n'},
            {"child": 'id = "child"\nbased_on = 7\n'},
        ],
    )
    def test_a_base_that_is_none_is_named(self, folder, files):
        with pytest.raises(DefinitionError) as caught:
            load_definitions(folder(**files))
        assert caught.value.key == "based_on"


class TestGet:
    def test_an_unknown_id_is_a_typed_error(self, outbound):
        with pytest.raises(UnknownProvider) as caught:
            Registry.load(outbound).get("nobody")
        assert caught.value.provider_id == "nobody"


class TestFind:
    @pytest.mark.parametrize("provider_id", sorted(CODED))
    def test_an_id_with_a_module_of_its_own_is_made_by_it(self, outbound, provider_id):
        registry = Registry.load(outbound)
        found = registry.find(provider_id)
        assert type(found) is CODED[provider_id]
        assert SIGNS_REQUESTS in found.capabilities
        assert registry.definitions()[provider_id] is found.definition
        with pytest.raises(UnsupportedOperation) as caught:
            registry.get(provider_id)
        assert caught.value.supported == found.capabilities

    def test_all_others_are_made_from_their_file(self, outbound, folder):
        registry = Registry.load(outbound, folder(extra=ENTERS))
        assert type(registry.find(OURS)) is OAuthProvider
        assert registry.find(OURS) is registry.get(OURS)
        assert type(registry.find("extra")) is EnteredProvider
        with pytest.raises(UnsupportedOperation):
            registry.get("extra")

    def test_a_file_that_only_code_could_serve_stops_it(self, outbound, folder):
        with pytest.raises(DefinitionError, match="signing"):
            Registry.load(outbound, folder(unheard=SIGNS % "unheard"))
