"""What rating costs: processor time and memory for events of a month, read from a ledger.

    python bench/books/rating.py [EVENTS] [FOLDER]

The ledger is made in FOLDER (the present one by default) and removed at the end.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from month import fill, version

from neocloud.books.prices import PriceBook
from neocloud.books.rating import rate
from neocloud.ledger import Reader


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    where = sys.argv[2] if len(sys.argv) > 2 else "."
    with tempfile.TemporaryDirectory(dir=where) as folder:
        path = Path(folder) / "ledger.db"
        fill(path, count)
        before_s = time.process_time()
        read = sum(1 for _ in Reader(path).usage())
        print(f"reading {read:,} events alone: {time.process_time() - before_s:.1f} s")
        for rich in (False, True):
            book = PriceBook(current=version(rich))
            before_s = time.process_time()
            rated = rate(book, Reader(path).usage())
            took_s = time.process_time() - before_s
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"{'tiers and off-peak' if rich else 'plain prices'}: {took_s:.1f} s with reading, "
                f"{len(rated.lines):,} lines, {peak} MiB at most"
            )


if __name__ == "__main__":
    main()
