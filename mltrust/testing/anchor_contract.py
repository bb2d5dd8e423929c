"""What every anchor must do: inherit `AnchorContract`, give it an anchor, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt, TimeBounds
from mltrust.core.report import AnchorState, CheckKind, Outcome
from mltrust.errors import MltrustError, UsageError
from mltrust.interfaces import Anchor, Home, Submission

ONE, TWO, THREE = (Digest.sha256(bytes([number])) for number in (1, 2, 3))
_LONG = 100_000
_DEEP = 5_000
_PLACES = 64
_SETTINGS: list[object] = [
    None,
    True,
    -1,
    0,
    2**64,
    1.5,
    float("nan"),
    "",
    "\0",
    "x" * _LONG,
    [],
    [1],
    ["\0"],
    {},
    {"x": 1},
]


class AnchorContract:
    """The suite. A subclass gives the fixture `anchor`: a new one that can publish, in whatever is its test double.

    It may give `other`: one of the same kind whose receipts are not `anchor`'s; and `uri`: one that names such an
    anchor. Nothing here needs a network.
    """

    @pytest.fixture
    def anchor(self) -> Anchor:
        """Return a new anchor that can publish; every subclass gives its own."""
        raise NotImplementedError

    @pytest.fixture
    def other(self) -> Anchor | None:
        """Return another anchor of the same kind; None skips the tests that need one."""
        return None

    @pytest.fixture
    def uri(self) -> str | None:
        """Return a URI of an anchor of the kind; None skips the tests that need one."""
        return None

    def test_a_uri_names_it_and_no_other(self, anchor: Anchor, uri: str | None, tmp_path: Path) -> None:
        """Its own URIs open, without a file or a connection; what is not one is the caller's error."""
        if uri is None:
            pytest.skip("no URI")
        plug, home = type(anchor), Home(tmp_path / "no-data", tmp_path / "no-state")
        assert plug.from_uri(uri, home, {}).name
        assert not home.data.exists()
        assert not home.state.exists()
        for wrong in ("", plug.scheme, f"{plug.scheme}:", f"{plug.scheme}:\0", "no-such-scheme:x", f"x{uri}"):
            with pytest.raises(UsageError):
                plug.from_uri(wrong, home, {})

    def test_a_setting_of_another_type_is_the_callers_error(
        self, anchor: Anchor, uri: str | None, tmp_path: Path
    ) -> None:
        """Settings come from a file people write: each is taken or refused, and nothing else happens."""
        if uri is None:
            pytest.skip("no URI")
        for setting, value in product(type(anchor).settings, _SETTINGS):
            with suppress(UsageError):
                type(anchor).from_uri(uri, Home(tmp_path / "no-data", tmp_path / "no-state"), {setting: value})

    def test_it_fits_the_socket(self, anchor: Anchor) -> None:
        """It has every method, a scheme fit for URIs and receipts, and a name of one line."""
        assert isinstance(anchor, Anchor)
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", type(anchor).scheme)
        assert anchor.name
        assert anchor.name.isprintable()

    def test_a_key_that_is_none_is_not_taken(self, anchor: Anchor) -> None:
        """What does not look like a key of its kind is left to others."""
        for key in ("", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
            assert type(anchor).from_key(key, {}) is None

    def test_what_is_published_is_confirmed(self, anchor: Anchor) -> None:
        """A fresh receipt passes, and says so in every field that people and policies read."""
        (receipt,) = anchor.publish(_all(ONE))
        check = anchor.confirm(receipt, ONE)
        assert (check.kind, check.outcome, check.state) == (CheckKind.ANCHOR, Outcome.PASS, AnchorState.VERIFIED)
        assert check.name == anchor.name
        assert check.vouches is type(anchor).vouches
        assert check.summary
        assert (check.time or TimeBounds()) == receipt.time

    def test_a_receipt_names_its_kind_and_digest(self, anchor: Anchor) -> None:
        """A receipt finds its way back to the anchor and the digest."""
        (receipt,) = anchor.publish(_all(ONE))
        assert receipt.kind == type(anchor).scheme
        assert receipt.digest == str(ONE)

    def test_a_receipt_survives_json(self, anchor: Anchor) -> None:
        """A receipt is data: written to a seal and read back it is the same, and still passes."""
        (receipt,) = anchor.publish(_all(ONE))
        text = json.dumps(receipt.to_json()).encode()
        again = Receipt.from_json(canonical.loads(text, "receipt"), "receipt")
        assert again == receipt
        assert anchor.confirm(again, ONE).outcome is Outcome.PASS

    def test_publishing_nothing_gives_nothing(self, anchor: Anchor) -> None:
        """An empty batch has no receipts."""
        assert tuple(anchor.publish([])) == ()

    def test_publishing_again_changes_nothing(self, anchor: Anchor) -> None:
        """The same digest has the same receipt, in another call as within one."""
        (receipt,) = anchor.publish(_all(ONE))
        assert tuple(anchor.publish(_all(ONE))) == (receipt,)
        assert tuple(anchor.publish(_all(ONE, ONE))) == (receipt, receipt)

    def test_a_batch_has_a_receipt_each_in_order(self, anchor: Anchor) -> None:
        """A batch gives receipts in the order of its digests, new ones and old ones alike."""
        anchor.publish(_all(TWO))
        receipts = anchor.publish(_all(ONE, TWO, THREE))
        assert [receipt.digest for receipt in receipts] == [str(ONE), str(TWO), str(THREE)]
        for receipt, digest in zip(receipts, (ONE, TWO, THREE), strict=True):
            assert anchor.confirm(receipt, digest).outcome is Outcome.PASS

    def test_old_receipts_stay_good(self, anchor: Anchor) -> None:
        """Publishing more takes nothing from earlier receipts."""
        (receipt,) = anchor.publish(_all(ONE))
        anchor.publish(_all(TWO, THREE))
        assert anchor.confirm(receipt, ONE).outcome is Outcome.PASS

    def test_what_is_found_is_confirmed(self, anchor: Anchor) -> None:
        """Whatever it finds, it stands by; one that cannot look up by digest finds nothing."""
        anchor.publish(_all(ONE, TWO))
        for receipt in anchor.find(Submission(ONE)):
            assert anchor.confirm(receipt, ONE).outcome is Outcome.PASS

    def test_what_was_not_published_is_not_found(self, anchor: Anchor) -> None:
        """An unknown digest has no receipts."""
        anchor.publish(_all(ONE))
        assert tuple(anchor.find(Submission(TWO))) == ()

    def test_a_receipt_is_for_its_digest_only(self, anchor: Anchor) -> None:
        """A receipt proves no other digest, published or not, nor with its own field edited."""
        first, _ = anchor.publish(_all(ONE, TWO))
        for digest in (TWO, THREE):
            edited = first.model_copy(update={"digest": str(digest)})
            assert anchor.confirm(first, digest).outcome is not Outcome.PASS
            assert anchor.confirm(edited, digest).outcome is not Outcome.PASS
            assert anchor.confirm(edited, ONE).outcome is not Outcome.PASS

    def test_a_receipt_with_another_time_does_not_pass(self, anchor: Anchor) -> None:
        """Nobody can move a receipt in time."""
        (receipt,) = anchor.publish(_all(ONE))
        for field in ("not_before", "not_after"):
            time = receipt.time.model_copy(update={field: "2001-01-01T00:00:00Z"})
            assert anchor.confirm(receipt.model_copy(update={"time": time}), ONE).outcome is not Outcome.PASS

    def test_a_receipt_of_another_kind_is_not_its_affair(self, anchor: Anchor) -> None:
        """Evidence under another kind is neither a pass nor a finding."""
        (receipt,) = anchor.publish(_all(ONE))
        check = anchor.confirm(receipt.model_copy(update={"kind": "no-such-kind"}), ONE)
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)

    def test_another_anchors_receipt_does_not_pass(self, anchor: Anchor, other: Anchor | None) -> None:
        """A receipt convinces only where it was given, though both published the digest."""
        if other is None:
            pytest.skip("no second anchor")
        (receipt,) = other.publish(_all(ONE))
        anchor.publish(_all(ONE))
        check = anchor.confirm(receipt, ONE)
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)

    def test_a_fresh_receipt_needs_no_refreshing(self, anchor: Anchor) -> None:
        """What is refreshed still proves its digest, and refreshing it once more changes nothing."""
        (receipt,) = anchor.publish(_all(ONE))
        fresh = anchor.refresh(receipt, ONE)
        assert anchor.confirm(fresh, ONE).outcome is Outcome.PASS
        assert anchor.refresh(fresh, ONE) == fresh

    def test_hostile_evidence_never_passes(self, anchor: Anchor) -> None:
        """Evidence is hostile: whatever is in it ends in a check or in one of our own errors, and never in a pass."""
        (receipt,) = anchor.publish(_all(ONE))
        for evidence in _damaged(receipt.evidence):
            try:
                check = anchor.confirm(receipt.model_copy(update={"evidence": evidence}), ONE)
            except MltrustError:
                continue
            assert check.outcome is not Outcome.PASS, str(evidence)[:200]


def _all(*digests: Digest) -> list[Submission]:
    return [Submission(digest) for digest in digests]


def _damaged(evidence: dict[str, canonical.Json]) -> Iterator[dict[str, canonical.Json]]:
    yield {}
    yield {**evidence, "unknown": "x"}
    yield {**evidence, "\x1b[31m" * _LONG: "x"}
    for key, value in evidence.items():
        yield {name: kept for name, kept in evidence.items() if name != key}
        yield from ({**evidence, key: bad} for bad in _wrong(value) if bad != value)


def _wrong(value: canonical.Json) -> Iterator[canonical.Json]:
    numbers: list[canonical.Json] = [True, 0, -1, 2**63, 10**400, 1.5, float("nan")]
    others: list[canonical.Json] = [None, "", "x" * _LONG, "\ud800", "\0", [], {}, ["x"], [value], {"x": value}]
    yield from numbers + others
    deep = value
    for _ in range(_DEEP):
        deep = [deep]
    yield deep
    if isinstance(value, str):
        yield from (value + " ", " " + value, value + "\n", value[:-1], value[1:], value.upper(), value.swapcase())
        places = range(0, len(value), 1 + len(value) // _PLACES)
        yield from (value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :] for at in places)
    elif isinstance(value, bool | int):
        yield from (value + 1, value - 1, str(value), float(value))
    elif isinstance(value, list):
        zero = "00" * 32
        yield [*value, *value[-1:], "x"]
        yield [*value, zero]
        yield value[:-1]
        yield [zero] * _LONG
