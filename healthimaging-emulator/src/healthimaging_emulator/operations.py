"""Which function answers which operation of the service model."""

from __future__ import annotations

from .datastores import datastores, tags
from .image_sets import copies, deletions, image_sets, search, updates
from .imports import jobs, start_import
from .state.core import Operation

OPERATIONS: dict[str, Operation] = {
    "CreateDatastore": datastores.create_datastore,
    "GetDatastore": datastores.get_datastore,
    "ListDatastores": datastores.list_datastores,
    "DeleteDatastore": datastores.delete_datastore,
    "StartDICOMImportJob": start_import.start_dicom_import_job,
    "GetDICOMImportJob": jobs.get_dicom_import_job,
    "ListDICOMImportJobs": jobs.list_dicom_import_jobs,
    "SearchImageSets": search.search_image_sets,
    "GetImageSet": image_sets.get_image_set,
    "GetImageSetMetadata": image_sets.get_image_set_metadata,
    "GetImageFrame": image_sets.get_image_frame,
    "ListImageSetVersions": image_sets.list_image_set_versions,
    "UpdateImageSetMetadata": updates.update_image_set_metadata,
    "CopyImageSet": copies.copy_image_set,
    "DeleteImageSet": deletions.delete_image_set,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsForResource": tags.list_tags_for_resource,
}
