"""A real browser, shared by the tests here; without one they are skipped, and say so."""

import importlib.util
import sys
from pathlib import Path

import pytest


def _driver():
    name, path = "mltrust_tests_chromium", Path(__file__).with_name("chromium.py")
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = importlib.util.module_from_spec(spec)  # where dataclasses look
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def chromium():
    """Return the module that drives the browser."""
    return _driver()


@pytest.fixture(scope="session")
def browser(chromium):
    binary = chromium.find()
    if binary is None:
        pytest.skip("no browser: neither chromium on this machine, nor npm's @sparticuz/chromium in tests/node")
    with chromium.running(binary) as started:
        yield started
