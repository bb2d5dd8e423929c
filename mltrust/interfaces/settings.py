"""What the user sets for a plug."""

from collections.abc import Mapping

Settings = Mapping[str, object]
"""What the user's configuration and options say about one anchor: TOML values by name."""
