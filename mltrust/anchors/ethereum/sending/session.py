"""What sending works with: nodes that serve the chain, the journal, and somebody to talk to."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mltrust.anchors.ethereum.chain.finality import require_chain
from mltrust.anchors.ethereum.chain.node import Node
from mltrust.anchors.ethereum.chain.profiles import Config, Kind
from mltrust.anchors.ethereum.chain.rpc import RefusedError, UnreachableError
from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.sending.journal import Journal
from mltrust.anchors.ethereum.sending.writer import Writer
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Dialogue

_GENESIS_DIGITS = 16


@dataclass(frozen=True)
class Session:
    """One chain at work. `nodes` all said that they serve it; the first is asked where one is enough."""

    config: Config
    nodes: Sequence[Node]
    journal: Journal
    dialogue: Dialogue
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _writers: dict[Node, Writer] = field(default_factory=dict)

    @classmethod
    def begin(cls, config: Config, nodes: Sequence[Node], state: Path, dialogue: Dialogue) -> "Session":
        """Ask all nodes which chain they serve, and open its journal.

        Raises:
            UsageError: No node is configured.
            AnchorError: One serves another chain, or none answers.
        """
        if not nodes:
            raise UsageError(f"{config.name}: no node is configured", hint=no_node(config))
        chain_id = config.profile.chain_id
        found = _serving(nodes, chain_id)
        chain = str(chain_id)
        if config.profile.kind is Kind.DEV and (genesis := found[0].block(0)) is not None:
            chain = f"{chain_id}-{genesis.hash.hex()[:_GENESIS_DIGITS]}"
        return cls(config, found, Journal(state, chain_id, chain), dialogue)

    def hurried(self) -> "Session":
        """Return the same, but waiting for no transaction."""
        return replace(self, config=replace(self.config, timeout=0.0))

    @property
    def chain(self) -> str:
        """How the chain is called where money is at stake."""
        name, number = self.config.name, self.config.profile.chain_id
        return name if name.endswith(f":{number}") else f"{name} (chain {number})"

    @property
    def contract(self) -> bytes:
        """The contract to announce through, 20 bytes."""
        return self.config.contract or contract.ADDRESS

    def writer(self, node: Node | None = None) -> Writer:
        """Return what sends through a node, the first by default."""
        node = node or self.nodes[0]
        if node not in self._writers:
            self._writers[node] = Writer(node)
        return self._writers[node]

    def is_deployed(self) -> bool:
        """Tell whether `AnchorLog` is on the chain; `AnchorError` if something else is at its address."""
        code = self.nodes[0].code(self.contract)
        if code and code != contract.RUNTIME_CODE:
            message = f"{self.config.name}: another contract than AnchorLog is at {checksummed(self.contract)}"
            raise AnchorError(message, hint="Is the address right, and the chain?")
        return bool(code)


def no_node(config: Config) -> str:
    """Say how to name a node."""
    return f'Write rpc = ["https://…"] under [ethereum.{config.profile.name}] in your configuration.'


def _serving(nodes: Sequence[Node], chain_id: int) -> list[Node]:
    found: list[Node] = []
    trouble: AnchorError | None = None
    for node in nodes:
        try:
            require_chain(node, chain_id)
            found.append(node)
        except (UnreachableError, RefusedError) as error:
            trouble = trouble or error
    if trouble is not None and not found:
        raise trouble
    return found
