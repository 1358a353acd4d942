"""Every error of the project. Only leaves are raised; the state machine names leaves.

::

    IngestError
    ├── RetryableError                  the state machine tries again, for up to a day
    │   ├── DatabaseAwayError           the index cannot be reached, is resuming, read-only, full, or lacks a
    │   │                               grant or a migration; the connection is closed
    │   ├── DatabaseConflictError       serialisation failure, deadlock, lock time-out
    │   ├── MigrationUnderWayError      the schema is being migrated, and that takes longer than this call
    │   ├── AwsAwayError                S3, Step Functions or Secrets Manager refuses or cannot be reached
    │   ├── HealthImagingBusyError      throttled, quota reached (HTTP 402), 5xx
    │   ├── DataStoreGateClosedError    something is wrong with the data store; no series is to blame
    │   └── ResultsNotYetWrittenError   the import is over, its manifest is not in S3 yet
    └── SeriesError                     this series fails, a person must act
        ├── EventRejectedError          the event names another bucket, edge or key than it may
        ├── ManifestRejectedError       the manifest is missing, altered or malformed
        ├── IndexRefusedError           the index refuses a value; a fault of the code
        ├── ImportRefusedError          HealthImaging refused this import
        ├── SlotLostError               its ticket was ended: it holds no slot
        └── ClaimLostError              another execution has taken this series transfer over
"""

from __future__ import annotations


class IngestError(Exception):
    """The root: never raised itself."""


class RetryableError(IngestError):
    """Trying again later helps."""


class DatabaseAwayError(RetryableError):
    """The index cannot be reached, or cannot do it now; no value of the series is to blame."""


class DatabaseConflictError(RetryableError):
    """Serialisation failure, deadlock or lock time-out: another transaction won."""


class MigrationUnderWayError(RetryableError):
    """The schema is being migrated, and that takes longer than this call."""


class AwsAwayError(RetryableError):
    """S3, Step Functions or Secrets Manager refuses or cannot be reached; no series is to blame."""


class HealthImagingBusyError(RetryableError):
    """Throttled, quota reached or a server error."""


class DataStoreGateClosedError(RetryableError):
    """The data store, its role or its key is broken; the gate is closed until a probe finds it well."""


class ResultsNotYetWrittenError(RetryableError):
    """The import is over, but its output manifest is not in S3 yet."""


class SeriesError(IngestError):
    """Something is wrong with this series."""


class EventRejectedError(SeriesError):
    """The event names another bucket, edge or key than it may."""


class ManifestRejectedError(SeriesError):
    """The manifest is missing, altered or malformed."""


class IndexRefusedError(SeriesError):
    """The index refuses a value: the SQLSTATE and the place are named, the value is not.

    `server_words`: what PostgreSQL said; it may quote the value: for an operator's eyes, not for logs.
    """

    def __init__(self, message: str, server_words: str = "") -> None:
        super().__init__(message)
        self.server_words = server_words


class ImportRefusedError(SeriesError):
    """HealthImaging refused this import."""


class SlotLostError(SeriesError):
    """The ticket was ended, by an operator or because its execution seemed gone: nothing may be started."""


class ClaimLostError(SeriesError):
    """Another execution has taken this series transfer over: this one must touch nothing more."""
