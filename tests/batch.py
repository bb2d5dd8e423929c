"""Run many commands in one process, for the sake of time: read as JSON, and so are their codes and what they say."""

import contextlib
import io
import json
import sys

from mltrust.cli.commands import application

app, done = application(), []
for arguments in json.load(sys.stdin):
    out, err, code = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in "12"), None, None
    out, err = out
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(arguments)
        except SystemExit as end:
            code = end.code
    out.flush(), err.flush()
    done.append((code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()))
json.dump(done, sys.stdout)
