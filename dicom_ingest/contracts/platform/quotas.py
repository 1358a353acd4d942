"""HealthImaging's default quotas for one data store.

https://docs.aws.amazon.com/general/latest/gr/healthimaging.html and
https://docs.aws.amazon.com/healthimaging/latest/devguide/throttling-limits.html
"""

from __future__ import annotations

STARTS_PER_SECOND, START_BURST = 1.0, 2
"""StartDICOMImportJob."""
READS_PER_SECOND, READ_BURST = 25.0, 50
"""GetDICOMImportJob."""
IMPORTS_AT_ONCE = 100
FILES_PER_IMPORT = 5_000
BYTES_PER_IMPORT = 10_000_000_000
FILES_WANTED = 4_500
"""Of a transfer: an import takes all of it, and a changed duplicate or two still fit."""
BYTES_WANTED = 9_000_000_000
