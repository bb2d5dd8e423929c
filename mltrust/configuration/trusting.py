"""The `[trust]` table: who must vouch.

    [trust]
    require = ["release", { signer = "alice" }]         each of these must vouch
    at_least = 2                                        and so must this many
    of = ["alice", { anchor = "ledger:log" }, { key = "name+id+base64" }]               of these
    kinds = ["hybrid"]                                  among those who vouch, there must be one of each kind
    revocations = ["revoked.json"]                      lists of keys that are revoked

    [[trust.groups]]                                    as many more groups as it takes
    name = "auditors"
    at_least = 1
    of = ["carol", "dave"]

An entry is a URI, a short name of an anchor or of a signer, or a ledger's verifier key; as a table, it says which, and
that of an anchor may bring settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mltrust import opening, registry
from mltrust.core.note import looks_like_a_key
from mltrust.errors import UsageError
from mltrust.interfaces import Anchor, Home, Quorum, Trust, TrustedSigner
from mltrust.interfaces.trusting import Member, refuse_shared_keys

if TYPE_CHECKING:
    from mltrust.configuration.tables import Configuration

_TABLE_KEYS = frozenset({"require", "at_least", "of", "groups", "kinds", "revocations"})
_GROUP_KEYS = frozenset({"name", "at_least", "of"})
_UNNAMED = "policy"
_TAKEN = (_UNNAMED, "kinds", "")
_ENTRY_KEYS = ("anchor", "key", "signer")
KEYS = _TABLE_KEYS.union(_GROUP_KEYS, _ENTRY_KEYS)
_KINDS = ("ed25519", "p256", "p384", "p521", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87", "hybrid", "sigstore", "certificate")


@dataclass(frozen=True)
class TrustTable:
    """The `[trust]` table of a configuration, to be opened."""

    configuration: "Configuration"
    home: Home

    @property
    def _where(self) -> str:
        return self.configuration.where

    def trust(self) -> Trust:
        """Return what it says; `UsageError` if it makes no sense."""
        table = self.configuration.trust_table or {}
        if unknown := sorted(set(table) - _TABLE_KEYS):
            raise UsageError(f"{self._where}: [trust] knows no {ascii(unknown[0])[:80]}", hint=_known(_TABLE_KEYS))
        required = self._members(table, "require")
        groups = self._groups(table)
        for members in (required, *([*required, *group.members] for group in groups)):
            self._refuse_twice(members)
        return Trust(
            anchors=[each for each in required if not isinstance(each, TrustedSigner)],
            signers=[each for each in required if isinstance(each, TrustedSigner)],
            groups=groups,
            kinds=self._kinds(table),
            revoked=self.configuration.revoked(),
            empty_policy=not (required or groups),
        )

    def _groups(self, table: Mapping[str, object]) -> list[Quorum]:
        listed = table.get("groups", [])
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise UsageError(f"{self._where}: groups must be tables", hint="Write [[trust.groups]].")
        named = [self._group(each) for each in listed]
        names = [group.name for group in named]
        if len(set(names)) != len(names):
            raise UsageError(f"{self._where}: two groups of [trust] have one name")
        pool = self._members(table, "of")
        if "at_least" in table and not pool:
            raise UsageError(f"{self._where}: at_least must be how many of `of` must vouch")
        return [*([self._quorum(table, pool, _UNNAMED)] if pool else []), *named]

    def _group(self, table: Mapping[str, object]) -> Quorum:
        if unknown := sorted(set(table) - _GROUP_KEYS):
            raise UsageError(f"{self._where}: a group knows no {ascii(unknown[0])[:80]}", hint=_known(_GROUP_KEYS))
        name = table.get("name")
        if not isinstance(name, str) or name in _TAKEN:
            raise UsageError(
                f"{self._where}: a group of [trust] needs a name of its own", hint='Write name = "auditors".'
            )
        return self._quorum(table, self._members(table, "of"), name)

    def _quorum(self, table: Mapping[str, object], pool: Sequence[Member], name: str) -> Quorum:
        at_least = table.get("at_least", len(pool))
        if isinstance(at_least, bool) or not isinstance(at_least, int):
            raise UsageError(f"{self._where}: at_least must be how many of `of` must vouch")
        self._refuse_twice(pool)
        try:
            return Quorum(at_least, pool, name)
        except UsageError as error:
            raise UsageError(f"{self._where}: {error}", hint=error.hint) from error

    def _refuse_twice(self, members: Sequence[Member]) -> None:
        for kind in (False, True):
            names = [each.name for each in members if isinstance(each, TrustedSigner) is kind]
            if len(set(names)) != len(names):
                what = "a signer" if kind else "an anchor"
                raise UsageError(f"{self._where}: [trust] names {what} twice", hint="One voice counts once.")
        refuse_shared_keys([each for each in members if isinstance(each, TrustedSigner)])

    def _kinds(self, table: Mapping[str, object]) -> frozenset[str]:
        known = (*_KINDS, *registry.names("anchors"))
        listed = table.get("kinds", [])
        if not isinstance(listed, list) or not all(isinstance(each, str) and each in known for each in listed):
            raise UsageError(f"{self._where}: kinds must be a list of kinds of keys and anchors", hint=_known(known))
        return frozenset(listed)

    def _members(self, table: Mapping[str, object], key: str) -> list[Member]:
        entries = table.get(key, [])
        if not isinstance(entries, list):
            raise UsageError(f"{self._where}: {key} must be a list of anchors, signers and keys")
        return [self._member(entry) for entry in entries]

    def _member(self, entry: object) -> Member:
        if isinstance(entry, str):
            return self.configuration.signer(entry) if self._signs(entry) else self._anchor(entry)
        if not isinstance(entry, dict) or len(set(_ENTRY_KEYS) & set(entry)) != 1:
            forms = 'Write { anchor = "URI or name", … }, { signer = "name" } or { key = "…" }.'
            raise UsageError(f"{self._where}: {ascii(entry)[:80]} is no entry of [trust]", hint=forms)
        (called,) = set(_ENTRY_KEYS) & set(entry)
        named, given = entry[called], {name: value for name, value in entry.items() if name != called}
        if not isinstance(named, str) or looks_like_a_key(named) is not (called == "key"):
            hint = "A key that signs statements goes into [signers.NAME]." if called == "key" else None
            what = "is not what [trust] calls it: anchor, signer or key"
            raise UsageError(f"{self._where}: {ascii(named)[:80]} {what}", hint=hint)
        if called != "signer":
            return self._anchor(named, given)
        if given:
            raise UsageError(f"{self._where}: {{ signer = ... }} knows no {ascii(min(given))[:80]}")
        return self.configuration.signer(named)

    def _signs(self, name: str) -> bool:
        known = name in self.configuration.names or looks_like_a_key(name) or ":" in name
        if known or name in self.configuration.signers:
            return not known
        if opening.reads_as_public_key(name):
            raise UsageError(f"{self._where}: a key in [trust] has no name", hint="Put it into [signers.NAME].")
        called = sorted({*self.configuration.names, *self.configuration.signers})
        hint = (
            f"Configured: {', '.join(called)}." if called else "Name it in [anchors], or write a table [signers.NAME]."
        )
        raise UsageError(f"{self._where}: {ascii(name)[:80]} names no anchor, and is an unknown signer", hint=hint)

    def _anchor(self, named: str, given: Mapping[str, object] | None = None) -> Anchor:
        configuration = self.configuration
        placed = named in configuration.names or looks_like_a_key(named)
        uri = named if placed else opening.canonical(named, configuration.base)
        return configuration.open(uri, self.home, given)


def _known(names: Sequence[str] | frozenset[str]) -> str:
    return f"Known: {', '.join(sorted(names))}."
