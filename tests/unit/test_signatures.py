"""What is to be said of a signer's signature: by the key, by the time, and by what cannot be told."""

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mltrust.core import public_key
from mltrust.core.digest import Digest
from mltrust.core.dsse import MAX_SIGNATURES, Signature, pae
from mltrust.core.private_key import generate
from mltrust.core.receipt import TimeBounds
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome, SignatureState
from mltrust.core.revocations import Revocation, Revocations
from mltrust.errors import FormatError, SigningError, UsageError
from mltrust.interfaces import Quorum, Submission, Trust, TrustedKey, TrustedSigner
from mltrust.operations.signatures import Anchored, judge
from mltrust.operations.signing import new_signatures
from mltrust.operations.vouching import vouching
from mltrust.signers.external import ExternalSigner
from mltrust.signers.key import KeyVerifier
from mltrust.testing import MemoryAnchor

PASS, FAIL, UNCHECKED = Outcome
PAYLOAD = b'{"statement": 1}'
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pair(kind="ed25519", seed=1):
    return generate(kind, lambda size: bytes([seed]) * size)


def signed(key, payload=PAYLOAD):
    return [Signature.of(part.public.id, part.sign(pae(payload))) for part in key.parts]


def signer(key, name="ada", **window):
    return TrustedSigner(name, [TrustedKey(KeyVerifier(name, key.public), **window)])


def judged(who, signatures, anchored=Anchored(), revoked=()):  # noqa: B008  # frozen
    check = judge(who, PAYLOAD, signatures, anchored, Revocations.of(revoked))
    return check.outcome, check.state.value


@pytest.mark.parametrize("kind", ["ed25519", "p256", "ml-dsa-65", "hybrid"])
def test_a_key_of_every_kind(kind):
    key = pair(kind)
    good = signed(key)
    assert judged(signer(key), good) == (PASS, "verified")
    assert judged(signer(key), signed(key, b"{}")) == (FAIL, "invalid")
    assert judged(signer(key), []) == (FAIL, "absent")
    assert judged(signer(key), signed(pair(kind, seed=2))) == (FAIL, "absent")
    check = KeyVerifier("ada", key.public).confirm(PAYLOAD, good)
    assert set(check.kinds) == KeyVerifier("ada", key.public).kinds
    assert check.kinds[0] == kind


def test_the_same_signature_under_another_payload_type_is_none():
    key = pair()
    (part,) = key.parts
    other = Signature.of(part.public.id, part.sign(pae(PAYLOAD, "text/plain")))
    bare = Signature.of(part.public.id, part.sign(PAYLOAD))
    assert judged(signer(key), [other, bare]) == (FAIL, "invalid")


def test_stripping_either_half_fails():
    key = pair("hybrid")
    ed25519, ml_dsa = signed(key)
    for half in (ed25519, ml_dsa):
        assert judged(signer(key), [half]) == (FAIL, "incomplete")
        assert judged(signer(key), [half, half]) == (FAIL, "incomplete")
    false = Signature.of(ml_dsa.keyid, b"x")
    assert judged(signer(key), [ed25519, false]) == (FAIL, "invalid")
    assert judged(signer(key), [false, ml_dsa, ed25519]) == (PASS, "verified"), (
        "a false one beside it takes nothing away"
    )


def test_at_most_so_many_are_tried_and_those_that_bear_the_id_come_first():
    key = pair()
    (good,) = signed(key)
    others = [Signature.of(f"{at}", b"x") for at in range(2 * MAX_SIGNATURES)]
    assert judged(signer(key), [*others, good]) == (PASS, "verified")
    assert judged(signer(key), [*others, Signature(keyid="", sig=good.sig)]) == (FAIL, "absent")
    assert judged(signer(key), [Signature(keyid=good.keyid, sig="not base64")]) == (FAIL, "invalid")


@pytest.fixture
def without_ml_dsa(monkeypatch):
    """Have the library answer as its versions before 47 do: it knows no ML-DSA, and says so by a `ValueError`."""

    def without(load):
        def answer(data):
            found = load(data)
            if type(found).__name__.startswith("MLDSA"):
                raise ValueError("Unknown key type: 2.16.840.1.101.3.4.3.18")
            return found

        return answer

    for name in ("load_der_public_key", "load_pem_public_key"):
        monkeypatch.setattr(public_key, name, without(getattr(public_key, name)))


@pytest.mark.parametrize("kind", ["ml-dsa-65", "hybrid"])
def test_a_library_without_ml_dsa_leaves_it_unchecked(kind, without_ml_dsa):
    key = pair(kind)
    pem, good = key.public.to_pem(), signed(key)
    read = public_key.read_public_key(pem, "key")
    assert read == key.public
    assert read.to_pem() == pem
    check = KeyVerifier("ada", read).confirm(PAYLOAD, good)
    assert (check.outcome, check.state) == (UNCHECKED, SignatureState.UNSUPPORTED)
    assert check.hint == public_key.NEEDS_ML_DSA
    if kind == "hybrid":
        assert judged(signer(key), [good[1]]) == (FAIL, "absent"), "what can be checked here is not there"
        assert judged(signer(key), [Signature.of(good[0].keyid, b"x"), good[1]]) == (FAIL, "invalid")


def test_a_library_without_ml_dsa_hands_out_no_signature_that_it_cannot_check(without_ml_dsa, tmp_path):
    key = pair("ml-dsa-65")
    (good,) = signed(key)
    (tmp_path / "public-key").write_bytes(key.public.to_pem())
    (tmp_path / "sign").write_bytes(good.value())
    command = "import sys; sys.stdout.buffer.write(open(sys.argv[1] + '/' + sys.argv[2], 'rb').read())"
    service = ExternalSigner([sys.executable, "-c", command, str(tmp_path)], print)
    stated = SimpleNamespace(statement=SimpleNamespace(payload=lambda: PAYLOAD), signatures=(good,))
    with pytest.raises(UsageError, match="cannot be checked here: ml-dsa-65") as caught:
        new_signatures(stated, [service])
    assert caught.value.hint == public_key.NEEDS_ML_DSA


@dataclass
class Says:
    """A verifier that says what it is told to."""

    answer: Check | Exception
    name: str = "ada"
    kinds: frozenset[str] = field(default_factory=lambda: frozenset({"sigstore"}))
    ids: tuple[str, ...] = ("ada@example.org",)

    def confirm(self, payload, signatures):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def saying(answer, **window):
    return TrustedSigner("ada", [TrustedKey(Says(answer), **window)])


def check(outcome=PASS, **more):
    return Check(kind=CheckKind.SIGNATURE, name="ada", outcome=outcome, summary="x", **more)


class TestTimes:
    REVOKED = (Revocation.of("ada@example.org", "2026-01-01T12:00:00Z", None),)

    def anchored(self, time, silent=()):
        return Anchored(None if time is None else datetime.fromisoformat(time), silent)

    @pytest.mark.parametrize(
        ("time", "outcome"),
        [("2026-01-01T11:59:59Z", PASS), ("2026-01-01T12:00:00Z", FAIL), ("2026-01-01T12:00:01Z", FAIL), (None, FAIL)],
        ids=["before", "then", "after", "none"],
    )
    def test_older_is_earlier_by_a_second_at_least(self, time, outcome):
        when = self.anchored(time)
        found = judge(saying(check()), PAYLOAD, [], when, Revocations.of(self.REVOKED))
        assert found.outcome is outcome
        assert found.state is (None if outcome is PASS else SignatureState.REVOKED)
        until = judge(saying(check(), until=NOON), PAYLOAD, [], when, Revocations())
        assert until.outcome is (UNCHECKED if time is None else outcome)

    def test_who_cannot_be_asked_leaves_it_open(self):
        for time in (None, "2026-01-01T12:00:01Z"):
            when = self.anchored(time, ("ledger:gone",))
            assert judged(saying(check()), [], when, self.REVOKED) == (UNCHECKED, "untimed")
            assert judged(saying(check(), until=NOON), [], when) == (UNCHECKED, "untimed")
        assert (
            judge(
                saying(check()),
                PAYLOAD,
                [],
                self.anchored("2026-01-01T00:00:00Z", ("x",)),
                Revocations.of(self.REVOKED),
            ).outcome
            is PASS
        )

    def test_what_proves_when_it_was_signed_says_more_than_an_anchor(self):
        late, early = (check(time=TimeBounds(not_after=f"2026-01-01T{hour}:00:00Z")) for hour in (13, 11))
        old = self.anchored("2025-01-01T00:00:00Z")
        assert judged(saying(late), [], old, self.REVOKED) == (FAIL, "revoked")
        assert judge(saying(early), PAYLOAD, [], self.anchored(None), Revocations.of(self.REVOKED)).outcome is PASS

    def test_a_time_of_no_calendar_proves_nothing(self):
        odd = check(time=TimeBounds(not_after="2025-99-99T99:99:99Z"))
        assert Anchored.by([odd]) == Anchored()
        failed = check(FAIL, time=TimeBounds(not_after="2025-01-01T00:00:00Z"))
        assert Anchored.by([failed]) == Anchored(), "who does not pass proves no time"

    def test_the_key_that_signed_can_be_revoked_where_only_its_certificate_leads_to_a_trusted_one(self):
        leaf = check(voice=f"sha256:{'1' * 64}")
        assert judged(saying(leaf), [], revoked=[Revocation.of(leaf.voice, "2000-01-01T00:00:00Z", None)]) == (
            FAIL,
            "revoked",
        )
        assert judge(saying(leaf), PAYLOAD, [], Anchored(), Revocations()).outcome is PASS

    def test_since(self):
        before, after = self.anchored("2026-01-01T11:59:59Z"), self.anchored("2026-01-01T12:00:00Z")
        assert judged(saying(check(), since=NOON), [], before) == (FAIL, "not-yet-valid")
        assert judge(saying(check(), since=NOON), PAYLOAD, [], after, Revocations()).outcome is PASS


def test_any_key_of_a_signer_is_enough_and_the_most_telling_answer_is_told():
    old, new = pair(seed=1), pair(seed=2)
    both = TrustedSigner("ada", [TrustedKey(KeyVerifier("ada", each.public)) for each in (old, new)])
    assert judged(both, signed(new)) == (PASS, "verified")
    assert judged(both, signed(new), revoked=[Revocation.of(old.public.id, "2000-01-01T00:00:00Z", None)])[0] is PASS
    assert judged(both, signed(old), revoked=[Revocation.of(old.public.id, "2000-01-01T00:00:00Z", None)]) == (
        FAIL,
        "revoked",
    )
    assert judged(both, [Signature.of(new.public.id, b"x")]) == (FAIL, "invalid")


def test_trouble_is_never_a_pass():
    assert judged(saying(SigningError("out of reach")), []) == (UNCHECKED, "unavailable")
    assert judged(saying(FormatError("material", "is odd")), []) == (FAIL, "invalid")


class TestGroups:
    def ask(self, signatures, anchors=(), **trust):
        receipts = [receipt for each in anchors for receipt in each.find(Submission(Digest.sha256(PAYLOAD)))]
        return list(vouching(PAYLOAD, receipts, signatures, Trust(**trust), fingerprint=None))

    def test_a_member_that_cannot_be_checked_leaves_it_open(self):
        ada, bob = pair(seed=1), pair(seed=2)
        open_ = saying(SigningError("out of reach"))
        group = Quorum(2, [signer(ada, "a"), signer(bob, "b"), open_])
        *members, policy = self.ask(signed(ada), groups=[group])[:4]
        assert [each.outcome for each in members] == [PASS, UNCHECKED, UNCHECKED]
        assert (policy.kind, policy.outcome) == (CheckKind.POLICY, UNCHECKED)
        assert self.ask([], groups=[group])[3].outcome is FAIL, "one more would not be enough"
        assert self.ask([*signed(ada), *signed(bob)], groups=[group])[3].outcome is PASS

    def test_anchors_and_signers_count_together(self):
        ada, ledger = pair(), MemoryAnchor("log")
        ledger.publish([Submission(Digest.sha256(PAYLOAD))])
        group = Quorum(2, [signer(ada), ledger])
        assert self.ask(signed(ada), [ledger], groups=[group])[-1].outcome is PASS
        assert self.ask([], [ledger], groups=[group])[2].outcome is FAIL

    def test_one_voice_counts_once(self):
        ada = pair("hybrid")
        half = generate("ed25519", lambda size: b"\1" * size)
        assert half.public.id == ada.public.id
        with pytest.raises(UsageError, match="are one signer"):
            Quorum(2, [signer(ada, "a"), signer(half, "b")])

    def test_a_fingerprint_where_none_is_stated(self):
        (first, *_) = self.ask([], fingerprint="0" * 64)
        assert (first.kind, first.outcome) == (CheckKind.FINGERPRINT, FAIL)

    def test_a_kind_that_could_still_vouch_is_open(self):
        open_ = saying(SigningError("out of reach"))
        *_, kinds = self.ask([], signers=[open_], kinds=frozenset({"sigstore"}))
        assert kinds.outcome is UNCHECKED
        *_, kinds = self.ask([], signers=[open_], kinds=frozenset({"sigstore", "hybrid"}))
        assert kinds.outcome is FAIL


def test_a_signer_has_a_key():
    with pytest.raises(UsageError, match="has no key"):
        TrustedSigner("ada", [])


def test_states_of_anchors_and_signatures_are_told_apart_in_a_check():
    for state in (*AnchorState, *SignatureState):
        assert check(state=state).state is state
