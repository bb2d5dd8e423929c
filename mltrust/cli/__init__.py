"""The command line: parse, resolve plugs, one call, render, exit code. One file per command."""
