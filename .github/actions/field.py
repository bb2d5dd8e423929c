"""Print one field of a JSON document, if it is a text of one printable line: what a step may hand on as an output."""

import json
import sys
from pathlib import Path

_, _path, _name = sys.argv
try:
    _value = json.loads(Path(_path).read_bytes())[_name]
except (OSError, ValueError, LookupError, TypeError):
    sys.exit(1)
if not isinstance(_value, str) or not _value.isprintable():
    sys.exit(1)
sys.stdout.buffer.write(_value.encode())
