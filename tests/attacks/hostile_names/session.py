"""Run many commands in one process, each as the installed command, on the streams there are; a line ends each."""

import json
import sys
from pathlib import Path

from mltrust.cli.app import main

encoding = sys.stdout.encoding
for number, arguments in enumerate(json.loads(Path(sys.argv[1]).read_text(encoding="ascii"))):
    sys.argv, code = ["mltrust", *arguments], None
    try:
        main()
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        stream.write(f"\n<<{number}:{code}>>\n")
        stream.flush()
    sys.stdout.reconfigure(encoding=encoding)  # documents are in UTF-8, whatever people read
