"""The report on the chest radiographs: a Basic Text SR (PS3.3 A.35.1), an object without pixels."""

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, DigitalXRayImageStorageForPresentation

from dcmdata.generate.dx import CHEST_VIEWS
from dcmdata.generate.objects.files import write
from dcmdata.generate.objects.headers import INSTITUTION, add, coded, item, new_instance
from dcmdata.generate.objects.studies import DX_CHEST, Code, Series
from dcmdata.generate.objects.uids import uid

REPORT = Series(DX_CHEST, "2-report", 2, "SR", "Report", "", "083000")
TITLE: Code = ("18748-4", "LN", "Diagnostic imaging report")
FINDINGS: Code = ("59776-5", "LN", "Procedure Findings")
IMPRESSION: Code = ("19005-8", "LN", "Impressions")
FINDING: Code = ("121071", "DCM", "Finding")
CONCLUSION: Code = ("121077", "DCM", "Conclusion")


def write_sr_series(output: Path) -> list[Path]:
    """Write the report below `output`."""
    return [write(_report(), output / DX_CHEST.folder / REPORT.folder, "SR0001")]


def _report() -> Dataset:
    ds = new_instance(REPORT, BasicTextSRStorage, 1, REPORT.time)
    add(ds, ReferencedPerformedProcedureStepSequence=[], PerformedProcedureCodeSequence=[])
    add(ds, CompletionFlag="COMPLETE", VerificationFlag="VERIFIED", PreliminaryFlag="FINAL")
    add(ds, VerifyingObserverSequence=[_observer()], CurrentRequestedProcedureEvidenceSequence=[_evidence()])
    add(ds, ValueType="CONTAINER", ContinuityOfContent="SEPARATE", ConceptNameCodeSequence=[coded(TITLE)])
    ds.ContentSequence = [
        _section(
            FINDINGS,
            _text(FINDING, "Heart and mediastinum are made of ellipsoids and of normal size."),
            _text(FINDING, "Lungs clear. Both diaphragms smooth. Gas in the stomach. Twelve pairs of ribs."),
            _image(1),
            _image(2),
        ),
        _section(IMPRESSION, _text(CONCLUSION, "Normal chest of a phantom (幻影). No action needed.")),
    ]
    return ds


def _observer() -> Dataset:
    return item(
        VerifyingOrganization=INSTITUTION,
        VerificationDateTime=f"{DX_CHEST.date}{REPORT.time}",
        VerifyingObserverName="Phantom^Reader",
        VerifyingObserverIdentificationCodeSequence=[],
    )


def _reference(image: int) -> Dataset:
    return item(
        ReferencedSOPClassUID=DigitalXRayImageStorageForPresentation,
        ReferencedSOPInstanceUID=uid(CHEST_VIEWS.instance_uid, image),
    )


def _evidence() -> Dataset:
    series = item(
        SeriesInstanceUID=CHEST_VIEWS.instance_uid, ReferencedSOPSequence=[_reference(1), _reference(2)]
    )
    return item(StudyInstanceUID=DX_CHEST.instance_uid, ReferencedSeriesSequence=[series])


def _section(title: Code, *content: Dataset) -> Dataset:
    return item(
        RelationshipType="CONTAINS",
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[coded(title)],
        ContinuityOfContent="SEPARATE",
        ContentSequence=list(content),
    )


def _text(name: Code, text: str) -> Dataset:
    return item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=[coded(name)], TextValue=text
    )


def _image(image: int) -> Dataset:
    return item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[_reference(image)])
