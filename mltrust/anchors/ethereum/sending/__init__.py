"""Sending transactions: signed, written to a journal, sent, followed to their end; never one batch under two nonces."""
