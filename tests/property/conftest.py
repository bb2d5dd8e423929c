"""Properties hold for hundreds of examples each."""

import pytest


@pytest.fixture(autouse=True)
def unmeasured_examples(unmeasured):
    """All examples run the same lines, as other tests do."""
