"""Taking away what `verify` made, and nothing else."""

from __future__ import annotations

from ops.verify.evidence import Evidence


def clean_up(evidence: Evidence) -> list[str]:
    """Delete the study's image sets, objects, manifest and results; what was deleted, in words.

    The index keeps its rows: they are the history of what was imported.

    Raises:
        botocore's errors: your credentials may not delete something.
    """
    done = []
    found = evidence.transfer()
    imaging = evidence.target.client("medical-imaging")
    for held in found.image_sets if found else []:
        imaging.delete_image_set(datastoreId=held["datastore_id"], imageSetId=held["image_set_id"])
        done.append(f"image set {held['image_set_id']}")
    keys = [evidence.manifest_key] if evidence.manifest_key else []
    if found:
        prefix = found.series_transfer["prefix"]
        keys += _keys_below(evidence, prefix) + _keys_below(evidence, f"results/{prefix}")
    for key in dict.fromkeys(keys):
        evidence.target.client("s3").delete_object(Bucket=evidence.target.bucket, Key=key)
    done.append(f"{len(dict.fromkeys(keys))} objects; S3 keeps their versions for 30 days")
    return done


def _keys_below(evidence: Evidence, prefix: str) -> list[str]:
    pages = (
        evidence.target.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=evidence.target.bucket, Prefix=prefix)
    )
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
