"""The tree of a million leaves: the time to build it, and that of one path. Runs as a process of its own."""

import json
import statistics
import time

from mltrust.core.merkle import Tree

_LEAVES = 1_000_000
_PATHS = 1000


def main() -> None:
    """Print both times in seconds as JSON."""
    leaves = (number.to_bytes(8, "big") * 16 for number in range(_LEAVES))
    start = time.perf_counter()
    tree = Tree(leaves)
    root, build = tree.root, time.perf_counter() - start
    print(json.dumps({"build": build, "path": _path_time(tree), "root": root.hex()}))


def _path_time(tree: Tree) -> float:
    times = []
    for index in range(0, _LEAVES, _LEAVES // _PATHS):
        start = time.perf_counter()
        tree.inclusion_path(index)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
