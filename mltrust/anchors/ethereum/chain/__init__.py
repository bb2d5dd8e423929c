"""Asking nodes: which chain it is, what is in a block, what is final; and building receipts from their answers."""
