"""SARIF where it is read: files are found, alerts are recognised again, and there are never too many."""

import json
from dataclasses import replace

import pytest

from mltrust.interfaces import Seen
from mltrust.renderers import sarif
from mltrust.renderers.locations import place_of, uri_of
from mltrust.testing.renderer_contract import different, failed, verified


def log(found):
    seen = Seen(artifact="model", seal="model/mltrust.seal.json", folder="model")
    (run,) = json.loads("".join(sarif.SarifRenderer().report(found, seen)))["runs"]
    return run


@pytest.mark.parametrize(
    ("folder", "path", "uri"),
    [
        ("model", "a.bin", "model/a.bin"),
        ("./model/", "a.bin", "model/a.bin"),
        (".", "deep/a.bin", "deep/a.bin"),
        ("", "a.bin", "a.bin"),
        ("../model", "a.bin", "../model/a.bin"),
        ("/srv/model", "a b.bin", "file:///srv/model/a%20b.bin"),
        ("/", "a", "file:///a"),
        ("C:\\models", "a.bin", "file:///C:/models/a.bin"),
        ("s3://bucket/model", "a?b#c", "s3://bucket/model/a%3Fb%23c"),
        ("model", "a:b%41", "model/a%3Ab%2541"),
        (".", "javascript:alert(1)", "javascript%3Aalert%281%29"),
        (".", "gr\u00f6\u00dfe", "gr%C3%B6%C3%9Fe"),
        (".", "raw \udcff", "raw%20%FF"),
        (".", "lone \ud800", "lone%20%ED%A0%80"),
    ],
)
def test_the_uri_leads_to_the_file_from_where_it_was_named(folder, path, uri):
    assert uri_of(place_of(path, Seen(folder=folder))) == uri


def test_what_is_listed_is_bounded_and_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(sarif, "MAX_RESULTS", 5)
    names = [f"f{number}" for number in range(20)]
    everything = 2 + 20 + 20  # checks, changes, notices
    *listed, more = log(failed(names))["results"]
    assert len(listed) == 5
    assert (more["ruleId"], more["level"]) == ("more", "error")
    assert more["message"]["text"].startswith(f"and {everything - 5} more results")


def test_an_alert_is_the_same_whatever_bytes_are_there_now():
    one, other = failed(["a", "b"]), failed(["a", "b"])
    changes = [
        change.model_copy(update={"after": change.after.model_copy(update={"digest": "cd" * 32, "size": 7})})
        for change in other.changes
    ]
    other = other.model_copy(update={"changes": tuple(changes)})
    prints = [[result["partialFingerprints"] for result in log(found)["results"]] for found in (one, other)]
    assert prints[0] == prints[1]
    assert len({each["mltrustFinding/v1"] for each in prints[0]}) == len(prints[0])
    assert log(one)["results"] != log(other)["results"]


def test_rules_stay_the_same_whatever_was_found():
    ids = [[rule["id"] for rule in log(found)["tool"]["driver"]["rules"]] for found in (verified(), failed(["a"]))]
    assert ids[1] == [*ids[0], "notice-pickle"]
    assert len(set(ids[0])) == len(ids[0])
    assert {"change-changed", "check-content", "unchecked-anchor", "inconclusive", "no-report"} <= set(ids[0])


def test_of_two_seals_the_second_is_the_place_of_what_differs():
    seen = Seen(seal="v2.seal.json")
    (run,) = json.loads("".join(sarif.SarifRenderer().difference(different(["a"]), seen)))["runs"]
    assert [each["ruleId"] for each in run["results"]] == ["change-changed"]
    assert "exitCode" not in run["invocations"][0]
    (run,) = json.loads("".join(sarif.SarifRenderer().difference(different(["a"]), replace(seen, exit_code=1))))["runs"]
    assert run["invocations"][0]["exitCode"] == 1
