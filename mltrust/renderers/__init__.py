"""Results as text or as documents: one file per format, each with a version of its own where machines read it."""
