"""Signers: keys in files, in agents and behind commands, and identities without keys. One file each."""
