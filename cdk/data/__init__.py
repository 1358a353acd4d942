"""What must survive: key, network, bucket, index and image store."""

from __future__ import annotations

from constructs import Construct

from cdk.data.bucket import dicom_bucket
from cdk.data.database import Database
from cdk.data.image_store import ImageStore
from cdk.data.keys import customer_key
from cdk.data.network import Network
from dicom_ingest.contracts.configuration.config import Config


class Data(Construct):
    """The room of everything that is stored."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, "data")
        self.key = customer_key(self, config)
        self.network = Network(self, config, self.key)
        self.bucket = dicom_bucket(self, config, self.key)
        self.database = Database(self, config, self.network, self.key)
        enabled = config.ahli_config.ahli_enabled
        self.image_store = ImageStore(self, config, self.bucket, self.key) if enabled else None
