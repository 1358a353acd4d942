"""The header modules that all objects share (PS3.3 C.7 and C.12)."""

from pydicom.dataset import Dataset
from pydicom.uid import UID

from dcmdata.generate.objects.studies import Code, Patient, Series, Study
from dcmdata.generate.objects.uids import uid

INSTITUTION = "Phantom Hospital"
EQUIPMENT = {"CT": "Slice-o-Matic", "MR": "Spin-o-Matic", "DX": "Flat-o-Matic", "SR": "Talk-o-Matic"}


def item(**attributes: object) -> Dataset:
    """A sequence item with these attributes."""
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def coded(code: Code) -> Dataset:
    """A Code Sequence item (PS3.3 8.8)."""
    value, scheme, meaning = code
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def add(ds: Dataset, **attributes: object) -> None:
    """Set attributes by keyword."""
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)


def new_instance(series: Series, sop_class: UID, number: int, time: str) -> Dataset:
    """A data set with everything that does not depend on the kind of object; `time` is HHMMSS."""
    ds = Dataset()
    add(ds, SOPClassUID=sop_class, SOPInstanceUID=uid(series.instance_uid, number), InstanceNumber=number)
    add(ds, InstanceCreationDate=series.study.date, InstanceCreationTime=time)
    add(ds, ContentDate=series.study.date, ContentTime=time)
    _add_patient(ds, series.study.patient)
    _add_study(ds, series.study)
    _add_series(ds, series)
    return ds


def _add_patient(ds: Dataset, patient: Patient) -> None:
    add(
        ds,
        SpecificCharacterSet=patient.character_set,
        PatientName=patient.name,
        PatientID=patient.patient_id,
        IssuerOfPatientID="PHANTOM-HOSPITAL",
        PatientBirthDate=patient.birth_date,
        PatientSex=patient.sex,
        PatientAge=patient.age,
        PatientWeight=patient.weight,
        PatientComments="Computed phantom, nobody was examined",
        PatientIdentityRemoved="YES",
        DeidentificationMethod="Computed phantom: there is no identity to remove",
    )


def _add_study(ds: Dataset, study: Study) -> None:
    add(
        ds,
        StudyInstanceUID=study.instance_uid,
        StudyID=study.accession_number[-4:],
        StudyDate=study.date,
        StudyTime=study.time,
        AccessionNumber=study.accession_number,
        IssuerOfAccessionNumberSequence=[item(LocalNamespaceEntityID="PHANTOM-RIS")],
        StudyDescription=study.description,
        ProcedureCodeSequence=[coded(study.procedure)],
        ReferringPhysicianName="Phantom^Referrer",
        ConsultingPhysicianName="Phantom^Consultant",
        NameOfPhysiciansReadingStudy="Phantom^Reader",
        RequestingService="Phantom Medicine",
    )


def _add_series(ds: Dataset, series: Series) -> None:
    add(
        ds,
        Modality=series.modality,
        SeriesInstanceUID=series.instance_uid,
        SeriesNumber=series.number,
        SeriesDate=series.study.date,
        SeriesTime=series.time,
        SeriesDescription=series.description,
        SeriesDescriptionCodeSequence=[coded((series.folder.upper()[:16], "99PHANTOM", series.description))],
        Manufacturer="Phantom Works",
        ManufacturerModelName=EQUIPMENT[series.modality],
        DeviceSerialNumber=f"{series.modality}-0001",
        SoftwareVersions="1.0",
        InstitutionName=INSTITUTION,
        StationName=f"PHANTOM{series.modality}",
    )


def add_acquisition(ds: Dataset, series: Series, time: str, number: int = 1) -> None:
    """Attributes of General Series and General Image that only acquired images have."""
    add(
        ds,
        PerformingPhysicianName="Phantom^Performer",
        PerformingPhysicianIdentificationSequence=[
            item(
                PersonIdentificationCodeSequence=[coded(("P-17", "99PHANTOM", "Performer 17"))],
                InstitutionName=INSTITUTION,
            )
        ],
        ProtocolName=series.protocol,
        BodyPartExamined=series.study.body_part,
        AnatomicRegionSequence=[coded(series.study.region)],
        AnatomicalOrientationType="BIPED",
        AcquisitionNumber=number,
        AcquisitionDate=series.study.date,
        AcquisitionTime=time,
        BurnedInAnnotation="NO",
        RecognizableVisualFeatures="NO",
        ImageComments="Computed phantom",
    )
    if series.patient_position:
        ds.PatientPosition = series.patient_position


def clock(start: str, seconds: int) -> str:
    """`start` (HHMMSS) and some seconds later."""
    total = int(start[:2]) * 3600 + int(start[2:4]) * 60 + int(start[4:]) + seconds
    return f"{total // 3600 % 24:02d}{total // 60 % 60:02d}{total % 60:02d}"
