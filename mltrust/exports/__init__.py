"""Exports: a seal in the formats of others. One file each."""
