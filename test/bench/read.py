"""The peer of `npm run bench:read`: Python's gzip and csv read the same file, count its labels and keep nothing.

    python test/bench/read.py FILE      prints {"rows", "seconds", "peakBytes"}
"""

import collections
import csv
import gzip
import json
import resource
import sys
import time

csv.field_size_limit(1 << 24)
started = time.perf_counter()
labels = collections.Counter()
with gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="") as file:
    reader = csv.reader(file, delimiter="\t")
    header = next(reader)
    label = header.index("stars")
    for row in reader:
        labels[row[label]] += 1
print(json.dumps({
    "rows": labels.total(),
    "seconds": time.perf_counter() - started,
    "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "labels": dict(sorted(labels.items())),
}))
