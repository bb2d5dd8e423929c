"""This machine's disk: whole documents read and written, state that survives a crash, the user's signing keys."""
