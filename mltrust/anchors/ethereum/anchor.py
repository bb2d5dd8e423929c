"""Ethereum as an anchor: what a receipt proves by itself, whose it is, and whether its block is final."""

from collections.abc import Sequence
from typing import ClassVar, Self

from mltrust.anchors.ethereum import search
from mltrust.anchors.ethereum.chain.build import build
from mltrust.anchors.ethereum.chain.finality import GIVEN_BLOCK, Judgement, ask, judge, remembered, seen_by
from mltrust.anchors.ethereum.chain.node import Block, Node
from mltrust.anchors.ethereum.chain.profiles import SCHEME, SETTINGS, Config, Kind, config_of
from mltrust.anchors.ethereum.chain.rpc import Rpc
from mltrust.anchors.ethereum.memory import Memory
from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.proof.evidence import Evidence, Proven, prove, receipt_for
from mltrust.anchors.ethereum.sending.journal import Journal
from mltrust.anchors.ethereum.sending.publishing import Publishing, receipts_of
from mltrust.anchors.ethereum.sending.sending import RESUME
from mltrust.anchors.ethereum.sending.session import Session, no_node
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import AnchorError, ContradictionError, ForeignReceiptError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

_BY_OTHERS = "as you know from a source other than this seal"


class EthereumAnchor(Anchor):
    """An Ethereum chain, its nodes, and the accounts whose announcements count.

    Anybody can announce any digest on a chain, so what vouches is the account: those under `authors`, or else those
    this user has sent from. Confirming a receipt needs neither web3 nor, once its block is settled, a node.
    """

    scheme: ClassVar[str] = SCHEME
    settings: ClassVar[frozenset[str]] = SETTINGS

    def __init__(self, config: Config, home: Home) -> None:
        self.config = config
        self._home = home
        self._nodes = [Node(Rpc(url)) for url in config.rpc]
        self._memory = Memory(home.state, config.profile.chain_id)
        self.journal = Journal(home.state, config.profile.chain_id)

    @property
    def name(self) -> str:
        """How the chain is called in reports and messages: as its URI."""
        return self.config.name

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the chain that `ethereum:NAME` or `ethereum:CHAIN_ID` names."""
        return cls(config_of(uri, settings), home)

    def session(self) -> Session:
        """Connect: ask every node which chain it serves."""
        return Session.begin(self.config, self._nodes, self._home.state, self._home.dialogue)

    def publishing(self) -> Publishing:
        """Return what publishes, deploys and resumes."""
        return Publishing(self.session(), self.config.authors)

    def authors(self) -> frozenset[bytes]:
        """Return the accounts that are trusted, 20 bytes each: those named, or those this user has sent from."""
        return frozenset(self.journal.senders()) if self.config.authors is None else self.config.authors

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:
        """Publish SHA-256 digests in one transaction; return one receipt each, once it is in a block.

        Its block is not final yet then. On an `AnchorError` the transaction may have been sent nevertheless; it is in
        the journal, and publishing the same digests again goes on with it.

        Raises:
            UsageError: A digest is not SHA-256, nobody is named to sign, a cap does not allow it, or nobody agreed.
            AnchorError: A node serves another chain or none answers, the contract is not there, the account cannot pay,
                or the transaction is not included in time.
        """
        for submission in submissions:
            if submission.digest.algorithm != "sha256":
                raise UsageError(f"{self.name} takes SHA-256 digests, not {submission.digest}")
        return self.publishing().publish(submissions) if submissions else ()

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` proves `digest`, by an account that is trusted, in a block that is final.

        1. The receipt is right by itself: see `evidence.prove`.
        2. It is of this chain, of this contract, and by an account that is trusted.
        3. Its block is one the caller gave.
        4. Or its block is final for enough of the caller's nodes: see `finality.judge`. Then it is remembered.
        5. Or its block was seen final here before by as many nodes as must agree today, and none of those asked now
           says that it is not in the chain.
        """
        try:
            # 1.
            proven = prove(receipt, digest)
            # 2.
            self._require_ours(proven)
            # 3. to 5.
            return self._check(proven, self._settled(proven))
        except AnchorError as error:
            return Check.of_trouble(self.name, error)

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return receipts for the digest: from the journal, or else by searching the events of the contract.

        Only a digest that was published alone can be searched for. A node that shows none may be hiding one, so none
        means that nothing is known. Where the caller gave blocks to trust, no node is asked.

        Raises:
            AnchorError: No account is trusted, so that nothing can be looked for; or no node answers.
        """
        authors = self.authors()
        if not authors:
            message = f"{self.name}: no account is named whose announcements count"
            raise AnchorError(message, hint=f"Name it with --author ADDRESS, {_BY_OTHERS}.")
        own = (entry for entry in self.journal.everywhere() if entry.sender in authors)
        kept = receipts_of(own, submission.digest, self._contract)
        if kept or self.config.trusted_blocks or not self._nodes:
            return kept
        return search.receipts(self.session(), submission.digest, authors)

    def refresh(self, receipt: Receipt, digest: Digest) -> Receipt:
        """Return `receipt` as it is today: itself, or built anew where its transaction moved to another block."""
        proven, evidence = prove(receipt, digest), Evidence.of(receipt)
        self._require_ours(proven)
        for node in self.session().nodes:
            for transaction in self._hashes(proven):
                place = node.place(transaction)
                if place is not None and place.block.hash == proven.block_hash:
                    return receipt
                if place is not None:
                    return receipt_for(digest, build(node, transaction, place, proven.contract, evidence.batch))
        raise AnchorError(f"{self.name}: the transaction is in no block any more", hint=RESUME)

    @property
    def _contract(self) -> bytes:
        return self.config.contract or contract.ADDRESS

    def _hashes(self, proven: Proven) -> list[bytes]:
        """Return the hash of the transaction, or of all that were signed for its nonce, where it is in the journal."""
        for entry in self.journal.everywhere():
            hashes = [attempt.hash_bytes for attempt in entry.attempts]
            if proven.transaction_hash in hashes:
                return hashes
        return [proven.transaction_hash]

    def _require_ours(self, proven: Proven) -> None:
        chain_id = self.config.profile.chain_id
        if proven.chain_id != chain_id:
            raise _foreign(f"the receipt is of chain {proven.chain_id}, not {chain_id}")
        if proven.contract is not None and proven.contract != self._contract:
            what = f"the receipt is of contract {checksummed(proven.contract)}, not {checksummed(self._contract)}"
            raise _foreign(what, "To another contract the same call can mean anything. Trust it with --contract.")
        if proven.author not in self.authors():
            author = checksummed(proven.author)
            hint = f"If it is the sealer's, {_BY_OTHERS}, say so: --author {author}"
            raise _foreign(f"announced by {author}, whom you do not trust", hint)

    def _settled(self, proven: Proven) -> Judgement:
        what = f"block {proven.block_number}"
        if proven.block_hash in self.config.trusted_blocks:
            return Judgement(Outcome.PASS, AnchorState.VERIFIED, f"{what} is the one you gave", GIVEN_BLOCK)
        seen = self._memory.agreed(proven.block_hash)
        judgement = self._asked(proven)
        if judgement.outcome is Outcome.PASS:
            self._memory.keep(proven.block_hash, judgement.agreed)
        elif seen >= self.config.quorum and judgement.is_contrary:
            message = f"{judgement.summary}; but it was seen final here before, {seen_by(seen)}"
            raise ContradictionError(message, state=AnchorState.ROLLBACK, hint=judgement.hint)
        elif seen >= self.config.quorum and not judgement.is_contested:
            return remembered(seen, proven.block_number)
        return judgement

    def _asked(self, proven: Proven) -> Judgement:
        if not self._nodes:
            what = f"nobody was asked whether block {proven.block_number} is final"
            return Judgement(Outcome.UNCHECKED, AnchorState.UNAVAILABLE, what, hint=no_node(self.config))
        block, chain_id = Block(proven.block_number, proven.block_hash), self.config.profile.chain_id
        opinions = ask(self._nodes, chain_id, block, proven.transaction_hash, self.config.confirmations)
        return judge(opinions, self.config.quorum, block)

    def _check(self, proven: Proven, judgement: Judgement) -> Check:
        by = f"announced on {self.name} by {checksummed(proven.author)}"
        is_test = judgement.outcome is Outcome.PASS and self.config.profile.kind is not Kind.MAIN
        worth = "; a test network, which nobody pays to protect" if is_test else ""
        return Check(
            kind=CheckKind.ANCHOR,
            name=self.name,
            outcome=judgement.outcome,
            state=judgement.state,
            summary=f"{by}; {judgement.summary}{worth}",
            time=proven.time if judgement.outcome is Outcome.PASS else None,
            level=judgement.level,
            stronger=_stronger(proven, judgement),
            hint=self._hint(proven, judgement),
            voice=f"{self.scheme} {proven.chain_id} {checksummed(proven.author)}",
        )

    def _hint(self, proven: Proven, judgement: Judgement) -> str | None:
        offline = judgement.state is AnchorState.UNAVAILABLE
        return f"{judgement.hint} Or give {_given(proven)}." if offline else judgement.hint


def _stronger(proven: Proven, judgement: Judgement) -> str | None:
    if judgement.level in (None, GIVEN_BLOCK):
        return None
    given = _given(proven)
    return f"a second node of somebody else under rpc; or {given}" if judgement.agreed == 1 else given


def _given(proven: Proven) -> str:
    return f"--trust-block 0x{proven.block_hash.hex()}, if a source you trust, other than this seal, names that block"


def _foreign(message: str, hint: str | None = None) -> ForeignReceiptError:
    return ForeignReceiptError(message, hint=hint)
