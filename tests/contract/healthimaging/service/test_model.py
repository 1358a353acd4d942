"""Generated from botocore's service model: legal calls answer as modelled, illegal ones are refused."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import OperationModel, Shape
from botocore.serialize import create_serializer
from healthimaging_emulator import FailCall
from healthimaging_emulator.service import validation
from healthimaging_emulator.service.errors import ServiceError
from healthimaging_emulator.service.model import error_status, members, operation_names, service_model

from ..conftest import MakeStand
from ..stand import INPUT, OUTPUT, ROLE, Stand, instance


@dataclass(frozen=True)
class Known:
    """What the legal calls refer to."""

    datastore_id: str
    empty_datastore_id: str
    job_id: str
    image_set_id: str
    frame_id: str

    @property
    def arn(self) -> str:
        return f"arn:aws:medical-imaging:us-east-1:123456789012:datastore/{self.datastore_id}"


NOTHING = Known("0" * 32, "0" * 32, "0", "0" * 32, "0" * 32)


def filled(stand: Stand) -> Known:
    uid = stand.put("a/1.dcm", instance())
    job = stand.run("a/")
    image_set_id = stand.summary(job)["imageSetsSummary"][0]["imageSetId"]
    frame_id = stand.instances(image_set_id)[uid]["ImageFrames"][0]["ID"]
    empty = stand.emulator.ensure_datastore("empty")
    return Known(stand.datastore_id, empty, job["jobId"], image_set_id, frame_id)


@pytest.fixture(scope="module")
def shared(make_shared_stand: MakeStand) -> Stand:
    return make_shared_stand()


@pytest.fixture(scope="module")
def known(shared: Stand) -> Known:
    return filled(shared)


def legal(operation: str, known: Known) -> dict[str, Any]:
    """A call that works, with every optional member that makes sense together."""
    store = {"datastoreId": known.datastore_id}
    image_set = store | {"imageSetId": known.image_set_id}
    requests: dict[str, dict[str, Any]] = {
        "CreateDatastore": {
            "datastoreName": "another",
            "clientToken": "token-1",
            "tags": {"team": "imaging"},
            "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:alias/key",
            "lambdaAuthorizerArn": "arn:aws:lambda:us-east-1:123456789012:function:authorize",
            "losslessStorageFormat": "JPEG_2000_LOSSLESS",
        },
        "GetDatastore": store,
        "ListDatastores": {"datastoreStatus": "ACTIVE", "maxResults": 50},
        "DeleteDatastore": {"datastoreId": known.empty_datastore_id},
        "StartDICOMImportJob": store
        | {
            "jobName": "job/1.a_b-c#d",
            "clientToken": "token-2",
            "dataAccessRoleArn": ROLE,
            "inputS3Uri": f"s3://{INPUT}/a/",
            "outputS3Uri": f"s3://{OUTPUT}/o/",
            "inputOwnerAccountId": "123456789012",
            "importConfiguration": {
                "dicomJsonMetadataImportConfiguration": {
                    "dicomMetadataMappings": [{"studyInstanceUID": "1.2.3", "metadataFilePath": "meta.json"}]
                }
            },
        },
        "GetDICOMImportJob": store | {"jobId": known.job_id},
        "ListDICOMImportJobs": store | {"jobStatus": "COMPLETED", "maxResults": 1},
        "TagResource": {"resourceArn": known.arn, "tags": {"team": "imaging"}},
        "UntagResource": {"resourceArn": known.arn, "tagKeys": ["team", "other"]},
        "ListTagsForResource": {"resourceArn": f"{known.arn}/imageset/{known.image_set_id}"},
        "SearchImageSets": store
        | {
            "maxResults": 10,
            "searchCriteria": {
                "filters": [
                    {"operator": "EQUAL", "values": [{"DICOMPatientId": "P1"}]},
                    {"operator": "BETWEEN", "values": [{"createdAt": 0.0}, {"createdAt": 9e9}]},
                ],
                "sort": {"sortField": "createdAt", "sortOrder": "ASC"},
            },
        },
        "GetImageSet": image_set | {"versionId": "1"},
        "GetImageSetMetadata": image_set | {"versionId": "1"},
        "GetImageFrame": image_set | {"imageFrameInformation": {"imageFrameId": known.frame_id}},
        "ListImageSetVersions": image_set | {"maxResults": 5},
        "UpdateImageSetMetadata": image_set
        | {
            "latestVersionId": "1",
            "force": False,
            "includeStudyImageSets": False,
            "updateImageSetMetadataUpdates": {
                "DICOMUpdates": {"updatableAttributes": b'{"Study": {"DICOM": {"StudyDescription": "x"}}}'}
            },
        },
        "CopyImageSet": store
        | {
            "sourceImageSetId": known.image_set_id,
            "copyImageSetInformation": {"sourceImageSet": {"latestVersionId": "1"}},
            "force": False,
            "promoteToPrimary": False,
        },
        "DeleteImageSet": image_set,
    }
    return requests[operation]


def complete(operation: str) -> dict[str, Any]:
    """The legal call with the members that are not legal together: for what validation sees first."""
    request = legal(operation, NOTHING)
    if operation == "CopyImageSet":
        request["copyImageSetInformation"] = {
            "sourceImageSet": {"latestVersionId": "1", "DICOMCopies": {"copiableAttributes": "{}"}},
            "destinationImageSet": {"imageSetId": "0" * 32, "latestVersionId": "1"},
        }
    if operation == "UpdateImageSetMetadata":
        request["updateImageSetMetadataUpdates"] = {"revertToVersionId": "1"}
    return request


def send(stand: Stand, operation: OperationModel, request: dict[str, Any]) -> tuple[int, str, bytes]:
    """Sends a call as an SDK serialises it, without its own validation: status, error type, body."""
    serializer = create_serializer("rest-json", include_validation=False)
    http = serializer.serialize_to_request(request, operation)
    query = http["query_string"]
    pairs = query.items() if hasattr(query, "items") else query
    query_string = urlencode(list(pairs), doseq=True)
    url = stand.server.url + http["url_path"] + (f"?{query_string}" if query_string else "")
    body = http["body"] if isinstance(http["body"], bytes) else http["body"].encode()
    call = urllib.request.Request(url, body or None, http["headers"], method=http["method"])
    try:
        with urllib.request.urlopen(call) as answer:
            return answer.status, "", answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-amzn-ErrorType"], error.read()


def conforms(shape: Shape, value: Any) -> None:
    """The answer's required members, patterns, enums and limits; what boto3 parsed is made plain first."""
    validation.check(shape, plain(shape, value))


def plain(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        known = members(shape)
        assert value.keys() <= known.keys(), f"unknown members {value.keys() - known.keys()}"
        return {name: plain(known[name], item) for name, item in value.items()}
    if kind == "list":
        return [plain(shape.member, item) for item in value]  # type: ignore[attr-defined]
    if kind == "timestamp":
        return value.timestamp()
    return value.read() if kind == "blob" else value


@pytest.mark.parametrize("name", operation_names())
def test_a_legal_calls_answer_conforms_to_the_model(stand: Stand, name: str) -> None:
    method = next(m for m, op in stand.client.meta.method_to_api_mapping.items() if op == name)
    answer = getattr(stand.client, method)(**legal(name, filled(stand)))
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    shape = service_model().operation_model(name).output_shape
    assert shape is not None
    conforms(shape, answer)


@dataclass(frozen=True)
class Illegal:
    """A legal call with one member made illegal."""

    operation: str
    path: tuple[str, ...]
    what: str
    value: Any

    def __str__(self) -> str:
        return f"{self.operation}-{'.'.join(self.path)}-{self.what}"


MISSING = object()


def illegal_values(shape: Shape) -> list[tuple[str, Any]]:
    """One value for each rule of a member that breaks it."""
    rules = shape.metadata
    found: list[tuple[str, Any]] = []
    if shape.type_name == "string":
        if "max" in rules:
            found.append(("too long", "1" * (rules["max"] + 1)))
        if rules.get("min", 0) > 0 and "enum" not in rules:
            found.append(("empty", ""))
        if "pattern" in rules:
            found.append(("pattern", "\u00e9?*"))
        if "enum" in rules:
            found.append(("enum", "NONSENSE"))
    if shape.type_name == "integer":
        found += [("too small", rules["min"] - 1), ("too large", rules["max"] + 1)]
        found.append(("no number", "many"))
    if shape.type_name == "boolean":
        found.append(("no boolean", "maybe"))
    if shape.type_name == "list" and "max" in rules:
        found.append(("too many", None))
    return found


def illegal_calls() -> list[Illegal]:
    found: list[Illegal] = []
    for name in operation_names():
        shape = service_model().operation_model(name).input_shape
        assert shape is not None
        found += _illegal_members(name, shape, ())
    return found


def _illegal_members(operation: str, shape: Shape, path: tuple[str, ...]) -> list[Illegal]:
    found: list[Illegal] = []
    for name, member in members(shape).items():
        here = (*path, name)
        in_uri = member.serialization.get("location") == "uri"
        if name in shape.metadata.get("required", []) and not in_uri:
            found.append(Illegal(operation, here, "missing", MISSING))
        for what, value in illegal_values(member):
            if not (in_uri and value == ""):
                found.append(Illegal(operation, here, what, value))
        if member.type_name == "structure":
            found += _illegal_members(operation, member, here)
    return found


def request_of(call: Illegal) -> dict[str, Any] | None:
    """The call with its illegal member; None when no legal call goes there."""
    request: dict[str, Any] = json.loads(json.dumps(complete(call.operation), default=lambda b: b.decode()))
    place = request
    for name in call.path[:-1]:
        if name not in place:
            return None
        place = place[name]
    last = call.path[-1]
    if call.value is MISSING:
        del place[last]
    elif call.what == "too many":
        if last not in place:
            return None
        place[last] = [place[last][0]] * 1001
    else:
        place[last] = call.value
    return request


@pytest.mark.parametrize("call", [c for c in illegal_calls() if request_of(c) is not None], ids=str)
def test_an_illegal_member_is_refused_with_a_validation_error(shared: Stand, call: Illegal) -> None:
    operation = service_model().operation_model(call.operation)
    status, error, body = send(shared, operation, request_of(call) or {})
    assert (status, error) == (400, "ValidationException"), body
    assert json.loads(body)["message"]


@pytest.mark.parametrize("name", operation_names())
def test_every_modelled_error_reaches_boto3_as_its_class(shared: Stand, name: str) -> None:
    client = shared.client
    method = next(m for m, op in client.meta.method_to_api_mapping.items() if op == name)
    request = legal(name, NOTHING)
    for shape in service_model().operation_model(name).error_shapes:
        shared.emulator.faults.add(FailCall(operation=name, error=shape.name, message="Told to."))
        with pytest.raises(getattr(client.exceptions, shape.name)) as failure:
            getattr(client, method)(**request)
        response = failure.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == error_status(shape.name)
        assert response["Error"] == {"Code": shape.name, "Message": "Told to."}


NEEDS_A_STORE = [n for n in operation_names() if n not in ("CreateDatastore", "ListDatastores")]


@pytest.mark.parametrize("name", NEEDS_A_STORE)
def test_a_store_that_does_not_exist_is_not_found(shared: Stand, name: str) -> None:
    with pytest.raises(ServiceError) as failure:
        shared.emulator.call(name, legal(name, NOTHING))
    assert failure.value.code == "ResourceNotFoundException"


def test_a_union_takes_exactly_one_member(shared: Stand, known: Known) -> None:
    request = legal("UpdateImageSetMetadata", known)
    for updates in ({}, {"revertToVersionId": "1", "DICOMUpdates": {}}):
        with pytest.raises(ServiceError, match="Exactly one member"):
            shared.emulator.call(
                "UpdateImageSetMetadata", request | {"updateImageSetMetadataUpdates": updates}
            )


def test_a_body_that_is_no_json_is_refused(shared: Stand) -> None:
    for body in (b"{", b"[]"):
        url = f"{shared.server.url}/startDICOMImportJob/datastore/{shared.datastore_id}"
        call = urllib.request.Request(url, body, method="POST")
        with pytest.raises(urllib.error.HTTPError) as failure:
            urllib.request.urlopen(call)
        with failure.value as answer:
            assert answer.headers["x-amzn-ErrorType"] == "ValidationException"


def test_a_request_signed_for_another_service_is_refused(shared: Stand) -> None:
    scope = (
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
    call = urllib.request.Request(f"{shared.server.url}/datastore", headers={"Authorization": scope})
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(call)
    with failure.value as answer:
        assert (answer.code, answer.headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
