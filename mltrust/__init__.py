"""Integrity for machine-learning artifacts: fingerprint, seal, anchor, verify."""

__version__ = "0.1.0"
