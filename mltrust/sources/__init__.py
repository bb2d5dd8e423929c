"""Where artifacts lie: one file per place."""
