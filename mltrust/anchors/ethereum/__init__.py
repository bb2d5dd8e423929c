"""Ethereum as an anchor."""
