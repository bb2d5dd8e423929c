"""What is hostile is shown by every renderer, each name on its own."""

import pytest


def pytest_itemcollected(item):
    """Measure no coverage where the same report is rendered for every name there is."""
    if item.originalname in ("test_names_stay_names", "test_all_names_together"):
        item.add_marker(pytest.mark.no_cover)
