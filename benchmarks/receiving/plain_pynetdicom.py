"""A storage SCP as pynetdicom's documentation writes one, with the encoded data set written raw.

`python -m benchmarks.receiving.plain_pynetdicom PORT FOLDER`
"""

from __future__ import annotations

import sys
from pathlib import Path

from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity


def main() -> int:
    """Until it is killed."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    _config.LOG_HANDLER_LEVEL = "none"

    def store(event: evt.Event) -> int:
        with (folder / f"{event.request.AffectedSOPInstanceUID}.dcm").open("wb") as file:
            file.write(event.encoded_dataset())
        return 0x0000

    entity = ApplicationEntity("EDGE")
    entity.maximum_pdu_size = 131_072
    entity.maximum_associations = 100
    entity.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, store)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
