"""Ethereum as an anchor: announcements in transactions, and receipts that convince without a node.

Formats, all offline: `evidence` (a receipt) and what it is made of; `batch` (many digests behind one), `contract`.
Asking nodes: `rpc`, `node`, `finality`, `build`. Sending: `publishing` and what it steps through, `journal`.
"""

from mltrust.anchors.ethereum.anchor import EthereumAnchor

__all__ = ["EthereumAnchor"]
