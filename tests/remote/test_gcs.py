"""A server that speaks just enough of GCS to refuse, to go away and to go round in circles."""

import json

import pytest

from mltrust.errors import ArtifactError
from mltrust.sources.remote.fetching import Patience

GcsSource = pytest.importorskip("mltrust.sources.remote.gcs").GcsSource
pytest.importorskip("gcsfs")

LISTING, OBJECT = "/storage/v1/b/bucket/o", "/storage/v1/b/bucket/o/m"


def open_source(web, url):
    endpoint = f"http://127.0.0.1:{web.server_port}"
    return GcsSource(url, settings={"endpoint_url": endpoint, "anon": True}, patience=Patience(3, 0.001))


def answering(status, document):
    body = json.dumps(document).encode()
    return lambda request, number: request.answer(status, {"Content-Type": "application/json"}, body) or True


@pytest.mark.parametrize(
    ("answer", "why", "asked"),
    [((503, "busy"), "tried 3 times", 3), ((403, "not yours"), "refuses it", 1), ((400, "invalid"), "refuses it", 1)],
)
def test_a_no_is_asked_again_only_if_that_may_help_and_is_not_logged(web, caplog, answer, why, asked):
    status, said = answer
    page = web.put(OBJECT, b"", behave=answering(status, {"error": {"message": said, "code": status}}))
    with pytest.raises(ArtifactError, match=why):
        open_source(web, "gs://bucket/m").is_folder()
    assert page.asked == asked
    assert not caplog.records


def test_a_document_that_is_none(web):
    web.put(OBJECT, b"", behave=answering(200, {"size": "many"}))
    with pytest.raises(ArtifactError, match="answer makes no sense"):
        open_source(web, "gs://bucket/m").is_folder()


def test_a_listing_that_goes_round_in_circles(web):
    web.put(LISTING, b"", behave=answering(200, {"nextPageToken": "again"}))
    with pytest.raises(ArtifactError, match="does not go on"):
        list(open_source(web, "gs://bucket/").files())
