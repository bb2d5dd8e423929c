"""Anchors: where digests are published so that nobody can quietly change them. Each is a plug, loaded when named."""
