"""A bundle of others and a model in a bucket: only the bundle is here."""

from pathlib import Path

from mltrust.foreign import verify_oms
from mltrust.interfaces import Trust

BUNDLE = Path(__file__).parents[1] / "vectors" / "oms" / "history" / "v1.1.0-certificate" / "model.sig"


def test_a_model_in_a_bucket_is_verified_where_it_is(s3):
    files = {"signme-1": b"signme-1", "signme-2": b"signme-2", "ignore-me": b"not signed", "model.sig": b"a copy"}
    s3.put_all({f"model/{name}": data for name, data in files.items()})
    report = verify_oms("s3://bucket/model", BUNDLE, trust=Trust(content_only=True))
    assert (report.verdict, report.scope.left_out) == ("verified", ("ignore-me", "model.sig"))
    s3.put("model/signme-2", b"signme-3")
    report = verify_oms("s3://bucket/model", BUNDLE, trust=Trust(content_only=True))
    assert [(change.kind, change.name) for change in report.changes] == [("changed", "signme-2")]
