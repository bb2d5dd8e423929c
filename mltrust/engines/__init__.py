"""Who hashes segments: one file per engine."""
