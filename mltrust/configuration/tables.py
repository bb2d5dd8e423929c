"""The tables of a configuration: names, settings, and the anchors and signers they lead to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Self

from mltrust import opening, registry
from mltrust.configuration.signers import SignerTable
from mltrust.core.note import looks_like_a_key
from mltrust.core.revocations import Revocations
from mltrust.disk.revocations import read_list
from mltrust.disk.tables import read_tables
from mltrust.errors import UsageError
from mltrust.interfaces import Anchor, Home, Settings, Trust, TrustedSigner


@dataclass(frozen=True)
class Configuration:
    """What one file says; `where` names it in messages, `settings` are by URI, `remote` is by scheme.

    `revocations` are the lists of revoked keys: those of both, where one configuration lies over another.
    """

    where: str = "configuration"
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    trust_table: Mapping[str, object] | None = None
    base: Path = Path()
    remote: Mapping[str, Settings] = field(default_factory=dict)
    signers: Mapping[str, SignerTable] = field(default_factory=dict)
    revocations: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if both := sorted(self.names.keys() & self.signers.keys()):
            raise UsageError(f"{self.where}: {ascii(both[0])[:80]} names an anchor and a signer", hint="Rename one.")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a configuration strictly; whatever is wrong with it is a `UsageError` that names `path`."""
        return cls._of(read_tables(path), str(path), path.absolute().parent)

    @classmethod
    def _of(cls, tables: Mapping[str, Any], where: str, base: Path) -> Self:
        schemes = registry.names("anchors")
        known = ("anchors", "signers", "trust", "remote", *schemes)
        for key, value in tables.items():
            if key not in known:
                raise UsageError(f"{where}: unknown key {ascii(key)[:80]}", hint=f"Known: {', '.join(known)}.")
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
        signers = {name: SignerTable.of(name, table, where, base) for name, table in tables.get("signers", {}).items()}
        revocations = _revocations(tables.get("trust", {}), where, base)
        return cls(where, names, settings, tables.get("trust"), base, remote, signers, revocations)

    def over(self, other: "Configuration") -> "Configuration":
        """Return this configuration laid over `other`; `[trust]` is this one's alone, but for revocations."""
        settings = dict(other.settings)
        for uri, table in self.settings.items():
            settings[uri] = {**settings.get(uri, {}), **table}
        remote = {**other.remote, **self.remote}
        return Configuration(
            self.where,
            {**other.names, **self.names},
            settings,
            self.trust_table,
            self.base,
            remote,
            {**other.signers, **self.signers},
            (*other.revocations, *self.revocations),
        )

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
        """Return the trust of the `[trust]` table; where that names nobody, or there is none, an empty policy.

        Raises:
            UsageError: Something in it makes no sense.
            UnreadableError: A list of revoked keys cannot be read.
        """
        from mltrust.configuration.trusting import TrustTable

        return TrustTable(self, home).trust()

    def revoked(self) -> Revocations:
        """Return what the lists of revoked keys say together; one that cannot be read is an `UnreadableError`."""
        return reduce(or_, map(read_list, self.revocations), Revocations())

    def signer(self, name: str) -> TrustedSigner:
        """Return the signer of a name, with its keys read; `UsageError` if there is none."""
        if name not in self.signers:
            known = (
                f"Configured: {', '.join(sorted(self.signers))}." if self.signers else "Write a table [signers.NAME]."
            )
            raise UsageError(f"{self.where}: unknown signer {ascii(name)[:80]}", hint=known)
        return self.signers[name].open(name)


def _named(name: str, uri: object, where: str, base: Path) -> str:
    if ":" in name or not isinstance(uri, str) or ":" not in uri:
        raise UsageError(f'{where}: [anchors] needs lines such as release = "ledger:/srv/ledger"')
    return opening.canonical(uri, base)


def _revocations(table: Mapping[str, object], where: str, base: Path) -> tuple[Path, ...]:
    listed = table.get("revocations", [])
    if not isinstance(listed, list) or not all(isinstance(each, str) and each and "\0" not in each for each in listed):
        raise UsageError(f"{where}: revocations must be a list of files", hint='Write revocations = ["revoked.json"].')
    return tuple(base.absolute() / each for each in listed)
