"""Configuration: short names of anchors, what is set for each, and whom to trust. The caller says which file to read.

A configuration is TOML, closed (an unknown key is the user's error, never passed over):

    [anchors]                             short names
    release = "git-notes:/srv/models"

    [ethereum.sepolia]                    settings of the anchor ethereum:sepolia, one table for each URI
    rpc = ["https://one.example", "https://two.example"]

    [remote.s3]                           settings of all artifacts s3://..., one table for each scheme
    endpoint_url = "https://s3.example"

    [trust]                               whom verify asks where nobody is named on the command line
    require = ["release"]                 each of these must vouch,
    at_least = 1                          and so must this many
    of = [{ anchor = "ethereum:sepolia", authors = ["0x…"] }, { key = "…" }]    of these

An entry of `require` and `of` is a URI, a short name or a verifier key; as a table, it may bring settings of its own.
Paths in URIs count from the folder of the file that names them, wherever the command runs: else an artifact that is the
working folder could bring a ledger of its own.

A policy file is a configuration with a `[trust]` table; what it says goes before what the user's own says.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mltrust import opening, registry
from mltrust.core.note import looks_like_a_key
from mltrust.disk.documents import read_document
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import Anchor, Home, Quorum, Settings, Trust

MAX_CONFIGURATION_BYTES = 2**20
_TRUST = frozenset({"require", "at_least", "of"})


@dataclass(frozen=True)
class Configuration:
    """What one file says; `where` names it in messages, `settings` are by URI, `remote` is by scheme."""

    where: str = "configuration"
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    trust_table: Mapping[str, object] | None = None
    base: Path = Path()
    remote: Mapping[str, Settings] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a configuration strictly; whatever is wrong with it is a `UsageError` that names `path`."""
        try:
            tables = tomllib.loads(read_document(path, MAX_CONFIGURATION_BYTES).decode())
        except UnreadableError as error:
            raise UsageError(str(error)) from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path}: {error}") from error
        except RecursionError as error:
            raise UsageError(f"{path}: nested too deep") from error
        return cls._of(tables, str(path), path.absolute().parent)

    @classmethod
    def _of(cls, tables: Mapping[str, Any], where: str, base: Path) -> Self:
        schemes = registry.names("anchors")
        for key, value in tables.items():
            if key not in ("anchors", "trust", "remote", *schemes):
                known = ", ".join(("anchors", "trust", "remote", *schemes))
                raise UsageError(f"{where}: unknown key {ascii(key)[:80]}", hint=f"Known: {known}.")
            if not isinstance(value, dict):
                raise UsageError(f"{where}: {key} must be a table", hint=f"Write [{key}].")
        names = {name: _named(name, uri, where, base) for name, uri in tables.get("anchors", {}).items()}
        settings: dict[str, Settings] = {}
        for scheme in schemes:
            for rest, table in tables.get(scheme, {}).items():
                if not isinstance(table, dict):
                    hint = f'Write [{scheme}."WHERE"], WHERE being what follows {scheme}: in the URI.'
                    raise UsageError(f"{where}: {scheme}.{ascii(rest)[:80]} must be a table", hint=hint)
                settings[opening.canonical(f"{scheme}:{rest}", base)] = table
        remote = tables.get("remote", {})
        for scheme, table in remote.items():
            if scheme == "local" or scheme not in registry.names("sources") or not isinstance(table, dict):
                hint = "Write a table such as [remote.s3]."
                raise UsageError(f"{where}: remote.{ascii(scheme)[:80]} is not what is set for a source", hint=hint)
        return cls(where, names, settings, tables.get("trust"), base, remote)

    def over(self, other: "Configuration") -> "Configuration":
        """Return this configuration laid over `other`; `[trust]` is this one's alone."""
        settings = dict(other.settings)
        for uri, table in self.settings.items():
            settings[uri] = {**settings.get(uri, {}), **table}
        remote = {**other.remote, **self.remote}
        return Configuration(self.where, {**other.names, **self.names}, settings, self.trust_table, self.base, remote)

    def uri(self, name: str) -> str:
        """Return the URI of a short name; anything else is taken for a URI."""
        return self.names.get(name, name)

    def settings_for(self, uri: str) -> Settings:
        """Return what is set for a URI, however its path is spelled."""
        return self.settings.get(opening.canonical(uri, Path()), {})

    def open(self, name: str, home: Home, given: Settings | None = None) -> Anchor:
        """Return the anchor of a URI, a short name or a key with its settings; those of `given` go first."""
        if looks_like_a_key(name):
            return opening.anchor_by_key(name, given)
        uri = self.uri(name)
        if ":" not in uri and self.names:
            raise UsageError(
                f"{ascii(name)[:80]} names no anchor", hint=f"Configured: {', '.join(sorted(self.names))}."
            )
        return opening.open_anchor(uri, home, {**self.settings_for(uri), **(given or {})})

    def open_all(self, names: Sequence[str], home: Home, given: Settings) -> list[Anchor]:
        """Return the anchors of `names`, each with what it understands of `given`; what none does is a `UsageError`."""
        understood = [opening.settings_of(self.uri(name)) for name in names]
        if lost := sorted(set(given) - frozenset().union(*understood)):
            whom = ", ".join(names) or "those a policy or nobody names"
            hint = "Name the anchor it is for with --anchor, or set it in the policy or the configuration."
            raise UsageError(f"{lost[0].replace('_', '-')} is for other anchors than {whom}", hint=hint)
        pairs = zip(names, understood, strict=True)
        return [self.open(name, home, {key: given[key] for key in given if key in known}) for name, known in pairs]

    def trust(self, home: Home) -> Trust:
        """Return the trust of the `[trust]` table.

        Raises:
            UsageError: There is none, it names nobody, or something in it makes no sense.
        """
        table = self.trust_table
        if table is None:
            raise UsageError(
                f"{self.where}: no [trust] table", hint='Write one: [trust] require = ["ledger:/srv/ledger"]'
            )
        if unknown := sorted(set(table) - _TRUST):
            raise UsageError(f"{self.where}: [trust] knows no {ascii(unknown[0])[:80]}")
        anchors, pool = (self._entries(table, key, home) for key in ("require", "of"))
        if len({anchor.name for anchor in (*anchors, *pool)}) != len(anchors) + len(pool):
            raise UsageError(f"{self.where}: [trust] names an anchor twice", hint="One voice counts once.")
        if not anchors and not pool:
            raise UsageError(f"{self.where}: [trust] names nobody: an empty policy is never met")
        at_least = table.get("at_least", len(pool))
        if isinstance(at_least, bool) or not isinstance(at_least, int) or (not pool and "at_least" in table):
            raise UsageError(f"{self.where}: at_least must be how many of `of` must vouch")
        return Trust(anchors=anchors, quorum=Quorum(at_least, pool) if pool else None)

    def _entries(self, table: Mapping[str, object], key: str, home: Home) -> list[Anchor]:
        entries = table.get(key, [])
        if not isinstance(entries, list):
            raise UsageError(f"{self.where}: {key} must be a list of anchors and keys")
        return [self._entry(entry, home) for entry in entries]

    def _entry(self, entry: object, home: Home) -> Anchor:
        if isinstance(entry, str):
            return self.open(self._placed(entry), home)
        if not isinstance(entry, dict) or len({"anchor", "key"} & set(entry)) != 1:
            hint = '{ anchor = "URI or name", … } or { key = "…" }'
            raise UsageError(f"{self.where}: {ascii(entry)[:80]} is no entry of [trust]", hint=f"Write {hint}.")
        given = {name: value for name, value in entry.items() if name not in ("anchor", "key")}
        named = entry.get("anchor", entry.get("key"))
        if not isinstance(named, str) or looks_like_a_key(named) is not ("key" in entry):
            raise UsageError(f"{self.where}: {ascii(named)[:80]} is not what [trust] calls it: anchor or key")
        return self.open(self._placed(named), home, given)

    def _placed(self, named: str) -> str:
        known = named in self.names or looks_like_a_key(named)
        return named if known else opening.canonical(named, self.base)


def _named(name: str, uri: object, where: str, base: Path) -> str:
    if ":" in name or not isinstance(uri, str) or ":" not in uri:
        raise UsageError(f'{where}: [anchors] needs lines such as release = "ledger:/srv/ledger"')
    return opening.canonical(uri, base)
