"""S3 URIs: s3://bucket/prefix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key or prefix; the service model has checked the URI's form."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Location:
        """From `s3://bucket/key`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key)

    def folder(self, name: str) -> S3Location:
        """The folder of that name below this one, with a slash at its end."""
        return S3Location(self.bucket, f"{self.with_slash().key}{name}/")

    def with_slash(self) -> S3Location:
        """The same prefix as a folder; a whole bucket stays as it is."""
        if not self.key or self.key.endswith("/"):
            return self
        return S3Location(self.bucket, f"{self.key}/")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"
