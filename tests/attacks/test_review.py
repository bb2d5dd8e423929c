"""Patterns and links whose cost explodes."""

import sys

import pytest

from mltrust.core.exclusion import Exclusions
from mltrust.errors import ArtifactError, UsageError
from mltrust.sources import listing, local


@pytest.mark.parametrize("pattern", ["**********b", "a**b", "a/**/a/**/b", "*a*a*b", "**/*a*b", "***/b"])
def test_a_pattern_that_would_search_for_ever_is_refused(pattern):
    with pytest.raises(UsageError):
        Exclusions([pattern])


@pytest.mark.parametrize("pattern", ["*.log", "*cache*", "**/runs/*.log", "runs/**", "/a*b*c*", "a/**/b*"])
def test_an_ordinary_pattern_is_taken(pattern):
    assert not Exclusions([pattern]).match("x/y", folder=False)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_do_not_multiply_files_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "_MAX_THROUGH_LINKS", 20)
    (tmp_path / "real").mkdir()
    for number in range(10):
        (tmp_path / "real" / str(number)).touch()
    for number in range(2):
        (tmp_path / f"link{number}").symlink_to("real")
    assert len(list(local.LocalSource(tmp_path).files())) == 30
    (tmp_path / "link2").symlink_to("real")
    with pytest.raises(ArtifactError, match="linked folders"):
        list(local.LocalSource(tmp_path).files())
