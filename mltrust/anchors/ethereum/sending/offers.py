"""What a transaction may cost: estimated, held under the user's caps, shown, and agreed to."""

from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal

from mltrust.anchors.ethereum.chain.profiles import GWEI, WEI, Kind
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.sending.session import Session
from mltrust.anchors.ethereum.sending.unsigned import Unsigned
from mltrust.anchors.ethereum.sending.writer import Fees
from mltrust.errors import AnchorError, UsageError

_SHOWN_DIGITS = 4
_RAISE = 9, 8  # by 12.5 %: nodes take a replacement from 10 % on, of both fees


@dataclass(frozen=True, slots=True)
class Offer:
    """What a transaction is given: gas, and at most so much for a unit of it, in wei."""

    gas: int
    max_fee: int
    max_tip: int

    @property
    def most(self) -> int:
        """What it can cost at most, in wei."""
        return self.gas * self.max_fee


def offer(session: Session, sender: bytes, to: bytes, data: bytes, what: str) -> Offer:
    """Return what to offer for a transaction, to which somebody agreed; `what` tells people what it does.

    1. The gas it needs, and the fees of now.
    2. No more for a unit of gas than `max_fee_gwei`, no more in all than `max_cost`, and no more than there is.
    3. The cost is told; on a chain that is not for tests or development, somebody has to agree to it.

    Raises:
        UsageError: A cap does not allow it, or nobody agreed.
        AnchorError: The account cannot pay, or the node refuses.
    """
    # 1.
    writer = session.writer()
    gas, fees = writer.gas(sender, to, data), writer.fees()
    # 2. and 3.
    made = _capped(session, Offer(gas, fees.most, fees.tip), fees.base + fees.tip)
    return _agreed(session, made, fees, sender, what)


def raised(session: Session, old: Unsigned, sender: bytes, what: str) -> Offer:
    """Return what to offer for a replacement of `old`: both fees raised by an eighth, or to those of now.

    Raises:
        UsageError: A cap does not allow it, or nobody agreed.
        AnchorError: The account cannot pay.
    """
    fees = session.writer().fees()
    tip = max(fees.tip, _eighth_more(old.max_tip))
    most = max(fees.base + tip, _eighth_more(old.max_fee))  # the least that is taken
    made = _capped(session, Offer(old.gas, max(2 * fees.base + tip, most), tip), most)
    return _agreed(session, made, fees, sender, what)


def ether(wei: int) -> str:
    """Write an amount of wei in ether, rounded up to four digits that count."""
    return _decimal(wei, WEI)


def _capped(session: Session, made: Offer, least: int) -> Offer:
    cap = session.config.max_fee
    if cap is not None and cap < least:
        message = f"a unit of gas takes {_decimal(least, GWEI)} gwei now, your max_fee_gwei is {_decimal(cap, GWEI)}"
        raise UsageError(message, hint="Wait for a calmer hour, or raise it.")
    return made if cap is None else Offer(made.gas, min(made.max_fee, cap), made.max_tip)


def _agreed(session: Session, made: Offer, fees: Fees, sender: bytes, what: str) -> Offer:
    config, most = session.config, ether(made.most)
    if made.most > config.max_cost:
        message = f"it may cost {most} ETH, your max_cost is {ether(config.max_cost)}"
        raise UsageError(message, hint="Wait for a calmer hour, or raise it.")
    has = session.writer().balance(sender)
    if has < made.most:
        message = f"{checksummed(sender)} has {ether(has)} ETH, and it may cost {most}"
        raise AnchorError(message, hint="Send some to that address first; on a test network, a faucet does.")
    likely = ether(made.gas * min(made.max_fee, fees.base + made.max_tip))
    told = f"{what} on {session.chain}, from {checksummed(sender)}"
    session.dialogue.tell(f"{told}: about {likely} ETH, at most {most} ETH, for up to {made.gas:,} gas")
    if config.profile.kind is Kind.MAIN and not session.dialogue.agree(f"Send it, for at most {most} ETH?"):
        raise UsageError("nothing was sent: nobody agreed to the cost", hint="Agree with --yes.")
    return made


def _eighth_more(fee: int) -> int:
    return -(-fee * _RAISE[0] // _RAISE[1])


def _decimal(wei: int, unit: int) -> str:
    rounded = Context(prec=_SHOWN_DIGITS, rounding=ROUND_UP).divide(Decimal(wei), Decimal(unit))
    return f"{rounded.normalize():f}"
