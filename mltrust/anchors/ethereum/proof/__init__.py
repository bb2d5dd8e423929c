"""What a receipt proves, computed from its bytes alone: no node, no web3, nothing to believe but one block hash."""
