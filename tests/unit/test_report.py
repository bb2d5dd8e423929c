"""What a report adds up to: who vouches, who only says since when, and the verdict."""

import itertools
from dataclasses import replace

import pytest

from mltrust import NotVerifiedError
from mltrust.core.digest import Digest
from mltrust.core.report import Check, CheckKind, Outcome, Report, Scope, Verdict
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Quorum, Submission, Trust
from mltrust.operations.anchor import Placed, anchor
from mltrust.operations.vouching import vouching
from mltrust.testing import MemoryAnchor

PASS, FAIL, UNCHECKED = Outcome
VERIFIED, FAILED, INCONCLUSIVE = Verdict
SINCE_WHEN = "since when it exists may be known, but nobody you trust was asked whose it is"
NOBODY = "nobody you trust was asked who vouches for this seal"


class Clock(MemoryAnchor):
    """It says since when, and not whose."""

    vouches = False


class Gone(MemoryAnchor):
    """It is out of reach."""

    def find(self, submission):
        raise AnchorError(f"{self.name} is out of reach")


def check(kind, outcome=PASS, **more):
    return Check(kind=kind, name="x", outcome=outcome, summary="x", **more)


def report(*checks, content=PASS, content_only=False):
    return Report(
        name="model",
        fingerprint="0" * 64,
        root="0" * 64,
        suite="mltrust-1",
        content_only=content_only,
        scope=Scope(files=1, tensors=0, bytes=1),
        checks=(check(CheckKind.SEAL), check(CheckKind.CONTENT, content), *checks),
    )


class TestVerdict:
    def test_somebody_who_vouches_makes_it_verified(self):
        for kind in CheckKind:
            voucher = check(kind)
            vouches = kind in (CheckKind.ANCHOR, CheckKind.SIGNATURE, CheckKind.FINGERPRINT)
            assert report(voucher).vouchers == ((voucher,) if vouches else ())
            assert report(voucher).verdict is (VERIFIED if vouches else INCONCLUSIVE), kind

    @pytest.mark.parametrize("required", [True, False])
    def test_a_check_that_does_not_vouch_decides_nothing(self, required):
        time = check(CheckKind.ANCHOR, vouches=False, required=required)
        voucher = check(CheckKind.ANCHOR)
        assert report(time).vouchers == report(time, time).vouchers == ()
        assert report(time).verdict is INCONCLUSIVE
        assert report(time, voucher).vouchers == (voucher,)
        assert report(time, voucher).verdict is VERIFIED
        assert report(time, check(CheckKind.POLICY, required=True)).verdict is INCONCLUSIVE
        assert report(time, content_only=True).verdict is VERIFIED

    def test_it_may_fail_the_report_and_leave_it_open_where_it_was_named(self):
        voucher = check(CheckKind.ANCHOR)
        for outcome, required, verdict in (
            (FAIL, False, FAILED),
            (FAIL, True, FAILED),
            (UNCHECKED, True, INCONCLUSIVE),
            (UNCHECKED, False, VERIFIED),
        ):
            time = check(CheckKind.ANCHOR, outcome, vouches=False, required=required)
            assert report(voucher, time).verdict is verdict

    def test_no_combination_is_verified_without_content_and_a_voucher(self):
        """Every pair of checks with every outcome, against the rules in one line each."""
        fields = itertools.product(CheckKind, Outcome, (True, False), (True, False))
        checks = [check(kind, outcome, vouches=v, required=r) for kind, outcome, v, r in fields]
        for content, (one, two) in itertools.product(Outcome, itertools.combinations(checks, 2)):
            found = report(one, two, content=content)
            if Verdict.VERIFIED is found.verdict:
                assert content is PASS
                assert FAIL not in (one.outcome, two.outcome)
                assert all(each.outcome is PASS for each in (one, two) if each.required)
                assert any(each.vouches and each.outcome is PASS for each in (one, two))
            assert (found.verdict is FAILED) is (FAIL in (content, one.outcome, two.outcome))

    def test_requiring_a_report_names_why_it_is_not_verified(self):
        time = check(CheckKind.ANCHOR, vouches=False)
        with pytest.raises(NotVerifiedError, match="inconclusive: nobody trusted vouches for it"):
            report(time).require()
        assert report(check(CheckKind.ANCHOR)).require().verdict is VERIFIED


@pytest.fixture
def sealed(model_folder, seal_folder):
    """Return a sealed bundle; what anchors publish of it is its statement's digest."""
    return seal_folder(model_folder)


@pytest.fixture
def published(sealed):
    """Return a function that makes an anchor of this kind that has published the bundle."""

    def make(kind, label):
        made = kind(label)
        anchor([Placed(sealed)], made)
        return made

    return make


@pytest.fixture
def judge(model_folder, sealed, verify_folder):
    """Return a function that verifies the model: the verdict, and outcome and summary of each check by name."""

    def verify_it(**trust):
        found = verify_folder(model_folder, sealed, Trust(**trust))
        return found.verdict, {check.name: (check.outcome, check.summary) for check in found.checks[2:]}

    return verify_it


class TestWhoWasAsked:
    def test_nobody(self, judge):
        verdict, checks = judge()
        assert verdict is INCONCLUSIVE
        assert checks == {"trust": (UNCHECKED, NOBODY)}

    def test_only_somebody_who_knows_since_when(self, judge, published):
        for asked in ({"anchors": [published(Clock, "tsa")]}, {"assumed": [published(Clock, "tsa")]}):
            verdict, checks = judge(**asked)
            assert verdict is INCONCLUSIVE
            assert checks == {"memory:tsa": (PASS, "published here"), "trust": (UNCHECKED, SINCE_WHEN)}

    def test_several_of_them_are_no_more(self, judge, published):
        clocks = [published(Clock, label) for label in ("one", "two")]
        verdict, checks = judge(anchors=clocks, groups=[Quorum(2, clocks)])
        assert verdict is INCONCLUSIVE
        assert checks["policy"][0] is PASS
        assert checks["trust"] == (UNCHECKED, SINCE_WHEN)

    def test_one_that_is_out_of_reach_or_silent_says_so_itself(self, judge):
        verdict, checks = judge(anchors=[type("GoneClock", (Clock, Gone), {})("tsa")])
        assert verdict is INCONCLUSIVE
        assert [outcome for outcome, _ in checks.values()] == [UNCHECKED, UNCHECKED]
        assert judge(anchors=[Clock("tsa")])[0] is FAILED

    def test_somebody_who_says_whose(self, judge, published, sealed):
        clock, ledger = published(Clock, "tsa"), published(MemoryAnchor, "ledger")
        fingerprint = sealed.statement.subject[0].digest["mltrust-1"]
        for whose in ({"anchors": [clock, ledger]}, {"anchors": [clock], "assumed": [ledger]}):
            assert judge(**whose)[0] is VERIFIED
            assert "trust" not in judge(**whose)[1]
        assert judge(anchors=[clock], fingerprint=fingerprint)[0] is VERIFIED

    def test_somebody_who_could_say_whose_and_does_not(self, judge, published):
        """Then its own line says why; a second one would only repeat it."""
        clock = published(Clock, "tsa")
        for ledger in (Gone("ledger"), MemoryAnchor("ledger")):
            verdict, checks = judge(anchors=[clock], assumed=[ledger])
            assert verdict is INCONCLUSIVE
            assert list(checks) == ["memory:tsa", "memory:ledger"]
            assert checks["memory:ledger"][0] is UNCHECKED
        assert judge(anchors=[clock, MemoryAnchor("ledger")])[0] is FAILED

    def test_the_bytes_alone(self, judge):
        assert judge(content_only=True) == (VERIFIED, {})

    def test_the_hint_names_every_way_to_trust(self, sealed, published):
        for trust in (Trust(), Trust(anchors=[published(Clock, "tsa")])):
            *_, last = vouching(sealed.statement.payload(), (), (), trust, fingerprint=None)
            assert last.name == "trust"
            assert not last.required
            assert all(f"({option})" in last.hint for option in ("--anchor", "--key", "--fingerprint"))


class TestQuorum:
    @pytest.mark.parametrize(
        ("other", "verdicts", "policies"),
        [
            ("published", (VERIFIED, VERIFIED), (PASS, PASS)),
            ("silent", (INCONCLUSIVE, FAILED), (PASS, FAIL)),
            ("gone", (INCONCLUSIVE, INCONCLUSIVE), (PASS, UNCHECKED)),
        ],
    )
    def test_a_member_that_does_not_vouch_counts_and_is_not_enough(self, judge, published, other, verdicts, policies):
        members = {"silent": MemoryAnchor("l"), "gone": Gone("l")}
        pool = [published(Clock, "tsa"), members.get(other) or published(MemoryAnchor, "l")]
        votes = 2 if other == "published" else 1
        for at_least, verdict, policy in zip((1, 2), verdicts, policies, strict=True):
            found, checks = judge(groups=[Quorum(at_least, pool)])
            assert found is verdict
            assert checks["policy"] == (policy, f"{votes} of 2 vouch, at least {at_least} must")
            assert "trust" not in checks

    def test_a_clock_that_is_silent_takes_nothing_away(self, judge, published):
        quorum = Quorum(1, [Clock("tsa"), published(MemoryAnchor, "l")])
        assert judge(groups=[quorum])[0] is VERIFIED
        assert judge(groups=[replace(quorum, at_least=2)])[0] is FAILED


def test_a_fingerprint_has_one_meaning_however_it_is_written():
    digits = "ab" * 32
    assert Trust(fingerprint=f"mltrust-1:{digits}") == Trust(fingerprint=digits)
    for wrong in ("", "ab", digits.upper(), f"mltrust-9:{digits}", f":{digits}x"):
        with pytest.raises(UsageError):
            Trust(fingerprint=wrong)


def test_what_an_anchor_is_settles_what_its_checks_say(published, sealed):
    """Not what a check says of itself: `MemoryAnchor.confirm` leaves it at the default."""
    digest = sealed.statement.digest()
    assert isinstance(digest, Digest)
    for kind in (MemoryAnchor, Clock):
        made = published(kind, "x")
        (receipt,) = made.find(Submission(digest))
        assert made.confirm(receipt, digest).vouches
        asked = vouching(sealed.statement.payload(), (receipt,), (), Trust(anchors=[made]), fingerprint=None)
        (checked,) = [each for each in asked if each.state]
        assert checked.vouches is kind.vouches
