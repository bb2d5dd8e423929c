"""`mltrust fingerprint`."""

from mltrust.cli.console import Console
from mltrust.cli.options import (
    Artifact,
    Engine,
    Exclude,
    Format,
    FormatOption,
    Jobs,
    RecordsChoice,
    RecordsIndexOption,
    RecordsOption,
    Suite,
    SuiteChoice,
    check_records,
    speaking,
)


@speaking
def fingerprint(
    console: Console,
    artifact: Artifact,
    exclude: Exclude = None,
    suite: Suite = SuiteChoice.BLAKE3,
    records: RecordsOption = RecordsChoice.AUTO,
    records_index: RecordsIndexOption = False,
    jobs: Jobs = None,
    engine: Engine = "threads",
    format_: FormatOption = Format.TEXT,
) -> None:
    """Print the fingerprint of a file or folder and nothing else.

    It commits to the root over every byte and name, to the number of files, and to what was left out.

    \b
    Examples:
      mltrust fingerprint model/
      mltrust fingerprint model/ --format json
      mltrust fingerprint s3://bucket/model --engine dask://scheduler:8786
    """
    from mltrust import api
    from mltrust.cli.home import remote_settings
    from mltrust.renderers import json_v1

    check_records(records, index=records_index)
    with console.progress() as progress:
        means = api.default_means(
            jobs,
            progress,
            engine,
            remote_settings(artifact),
            records=records is not RecordsChoice.OFF,
            records_index=records_index,
        )
        found = api.fingerprint(
            artifact, suite=suite.value, exclude=exclude or (), means=means, keep_records=records is RecordsChoice.KEEP
        )
    as_json = format_ is Format.JSON
    console.result(json_v1.fingerprint(found.manifest, found.suite, str(found)) if as_json else str(found))
