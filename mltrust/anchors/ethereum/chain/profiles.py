"""The chains known by name, and what a user's configuration says about one.

A profile never holds the address of a node: whom to ask is for the user alone to say.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from mltrust.anchors.ethereum.proof.addresses import parse_address
from mltrust.core.canonical import MAX_INTEGER
from mltrust.core.model import Document, first_surprise
from mltrust.errors import UsageError
from mltrust.interfaces import Settings

SCHEME = "ethereum"
WEI = 10**18
GWEI = 10**9
DEFAULT_MAX_COST = "0.01"
DEFAULT_WAIT_SECONDS = 300
MAX_RPC = 16

_HASH_CHARACTERS = 66
_KEY = re.compile(r"[0-9a-fA-F]{64}")  # wherever it stands, with 0x, 0X or without
_KEYS_BESIDE = {"trust_block": re.compile(r"(?<!^0x)[0-9a-fA-F]{64}")}  # a block hash has its form


class Kind(StrEnum):
    """What a chain is worth: `testnet` and `dev` chains have no economic security, whatever they prove."""

    MAIN = "main"
    TESTNET = "testnet"
    DEV = "dev"


@dataclass(frozen=True, slots=True)
class Profile:
    """A chain: its name in URIs, its id (EIP-155), and what it is worth."""

    name: str
    chain_id: int
    kind: Kind


LOCAL = "local"
_PROFILES = (
    Profile("mainnet", 1, Kind.MAIN),
    Profile("optimism", 10, Kind.MAIN),
    Profile("base", 8453, Kind.MAIN),
    Profile("arbitrum", 42161, Kind.MAIN),
    Profile("sepolia", 11155111, Kind.TESTNET),
    Profile("hoodi", 560048, Kind.TESTNET),
    Profile("base-sepolia", 84532, Kind.TESTNET),
    Profile("optimism-sepolia", 11155420, Kind.TESTNET),
    Profile("arbitrum-sepolia", 421614, Kind.TESTNET),
    Profile(LOCAL, 31337, Kind.DEV),
)
PROFILES = {profile.name: profile for profile in _PROFILES}
BY_ID = {profile.chain_id: profile for profile in _PROFILES}
DEV_CHAINS = frozenset({31337, 1337, 131277322940537})  # anvil and hardhat, geth --dev, the chain in eth-tester

_Texts = Annotated[list[str], Field(max_length=256)] | str
_Number = int | float | str


class _Given(Document):
    """The settings as TOML and the command line give them."""

    rpc: _Texts = Field(default_factory=list)
    chain_id: Annotated[int, Field(ge=1, le=MAX_INTEGER)] | None = None
    quorum: Annotated[int, Field(ge=1, le=MAX_RPC)] | None = None
    authors: _Texts | None = None
    contract: str | None = None
    mode: Literal["event", "calldata"] = "event"
    trust_block: _Texts = Field(default_factory=list)
    signer: str | None = None
    password_file: str | None = None
    max_fee_gwei: _Number | None = None
    max_cost: _Number = DEFAULT_MAX_COST
    confirmations: Annotated[int, Field(ge=1, le=MAX_INTEGER)] | None = None
    timeout: Annotated[int, Field(ge=0, le=86_400)] = DEFAULT_WAIT_SECONDS


SETTINGS = frozenset(_Given.model_fields)


@dataclass(frozen=True, slots=True)
class Config:
    """What was decided about one chain.

    `authors` are 20-byte addresses, None where nobody was named; `contract` is one, None for the deterministic one.
    `trusted_blocks` are 32-byte hashes. `max_fee` (of a unit of gas) and `max_cost` (of a transaction) are in wei.
    `timeout` is how many seconds to wait for a transaction to be included.
    """

    profile: Profile
    rpc: tuple[str, ...]
    quorum: int
    authors: frozenset[bytes] | None
    contract: bytes | None
    mode: Literal["event", "calldata"]
    trusted_blocks: frozenset[bytes]
    signer: str | None
    password_file: Path | None
    max_fee: int | None
    max_cost: int
    confirmations: int | None
    timeout: float

    @property
    def name(self) -> str:
        """How the chain is called: as its URI."""
        return f"{SCHEME}:{self.profile.name}"


def config_of(uri: str, settings: Settings) -> Config:
    """Return what `uri` and `settings` decide; `UsageError` if one of them makes no sense."""
    _refuse_keys(uri, settings)
    given = _given(settings)
    urls = [_url(url) for url in _list(given.rpc)]
    if len(set(urls)) != len(urls) or len(urls) > MAX_RPC:
        raise UsageError(f"rpc: name each node once, and at most {MAX_RPC}")
    default = min(2, len(urls)) or 1
    quorum = default if given.quorum is None else given.quorum
    if urls and quorum > len(urls):
        raise UsageError(f"quorum: {quorum} of {len(urls)} nodes cannot agree", hint="Name more under rpc.")
    authors = None if given.authors is None else [parse_address(one, "authors") for one in _list(given.authors)]
    return Config(
        profile=_profile(uri, given.chain_id),
        rpc=tuple(urls),
        quorum=quorum,
        authors=None if authors is None else frozenset(authors),
        contract=None if given.contract is None else parse_address(given.contract, "contract"),
        mode=given.mode,
        trusted_blocks=frozenset(_hash(text) for text in _list(given.trust_block)),
        signer=given.signer,
        password_file=None if given.password_file is None else Path(given.password_file),
        max_fee=None if given.max_fee_gwei is None else _amount(given.max_fee_gwei, GWEI, "max_fee_gwei"),
        max_cost=_amount(given.max_cost, WEI, "max_cost"),
        confirmations=given.confirmations,
        timeout=float(given.timeout),
    )


def _refuse_keys(uri: str, settings: Settings) -> None:
    """Raise `UsageError` where a private key may have been given; it is not repeated."""
    for name, value in {**settings, "the URI": uri}.items():
        words = value if isinstance(value, list) else [value]
        where = _KEYS_BESIDE.get(name, _KEY)
        if name != "rpc" and any(isinstance(word, str) and where.search(word) for word in words):
            hint = "Others may have seen it by now: move what it owns. Keep keys in a keystore: --signer keystore:FILE."
            hint = "A block hash is written with 0x. If it was a key: " + hint if name == "trust_block" else hint
            raise UsageError(f"{name}: a private key was given as an argument or setting", hint=hint)


def _given(settings: Settings) -> _Given:
    try:
        return _Given.model_validate(dict(settings))
    except ValidationError as error:
        raise UsageError(f"{SCHEME}: {first_surprise(error)}", hint="Mend it in your configuration.") from error


def _profile(uri: str, chain_id: int | None) -> Profile:
    scheme, _, rest = uri.partition(":")
    if scheme != SCHEME or not (rest in PROFILES or _is_chain_id(rest)):
        hint = f"Write ethereum:NAME or ethereum:CHAIN_ID; names are {', '.join(PROFILES)}."
        raise UsageError(f"{uri[:120]!a} names no chain", hint=hint)
    profile = PROFILES[rest] if rest in PROFILES else _numbered(int(rest))
    if chain_id is None or chain_id == profile.chain_id:
        return profile
    if profile.name != LOCAL:
        raise UsageError(f"chain_id: {profile.name} has the id {profile.chain_id}, not {chain_id}")
    return Profile(LOCAL, chain_id, _numbered(chain_id).kind)


def _is_chain_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= len(str(MAX_INTEGER))


def _numbered(chain_id: int) -> Profile:
    # A chain nobody named may be worth real money.
    kind = Kind.DEV if chain_id in DEV_CHAINS else Kind.MAIN
    return BY_ID.get(chain_id, Profile(str(chain_id), chain_id, kind))


def _list(value: list[str] | str) -> list[str]:
    return [value] if isinstance(value, str) else value


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
        sound = sound and parts.port != 0 and parts.username is None and text.isascii() and text.isprintable()
    except ValueError:
        sound = False
    if not sound or " " in text:
        raise UsageError("rpc: a node is named by a URL", hint='Write rpc = ["https://…"].')  # it may hold a secret
    return text


def _hash(text: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(text) != _HASH_CHARACTERS or set(digits) - set("0123456789abcdefABCDEF"):
        raise UsageError(f"trust_block: {text[:20]!a} is no block hash", hint="Write 0x and 64 hexadecimal digits.")
    return bytes.fromhex(digits)


def _amount(value: _Number, unit: int, what: str) -> int:
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or not 0 < amount < 10**9:
        raise UsageError(f"{what}: {str(value)[:40]!a} is no amount", hint='Write a number such as "0.01".')
    return math.floor(amount * unit)
