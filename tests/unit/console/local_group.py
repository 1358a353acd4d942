"""Run in an environment of the `local` group: imports files and turns every frame into a picture.

Prints, as JSON, what each file's frames became: the transfer syntax, and the picture's type or the reason.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from healthimaging_emulator import Stand, s3_client
from moto.server import ThreadedMotoServer

from console.pictures.decoding import UndecodableError
from console.pictures.frames import Frame, FrameStore


def shown(store: FrameStore, frame: Frame) -> str:
    try:
        store.windows(frame)
        store.picture(frame, most=64)
        return store.picture(frame).media_type
    except UndecodableError as error:
        return str(error)


def main(folder: Path) -> None:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with Stand(s3_client(f"http://{host}:{port}")) as stand:
        job = stand.import_folder(folder)
        store = FrameStore(stand.client, stand.datastore_id)
        frames = [
            frame
            for image_set_id in job.image_set_ids
            for series in stand.metadata(image_set_id)["Study"]["Series"]
            for frame in store.frames([(image_set_id, 1)], series)
        ]
        pictures = [(frame.transfer_syntax, shown(store, frame)) for frame in frames]
    server.stop()
    print(json.dumps({"job": job.summary, "warnings": job.warnings, "pictures": pictures}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
