"""Who was 'examined', and why: three invented patients, three studies."""

from dataclasses import dataclass

from pydicom.uid import UID

from dcmdata.generate.objects.uids import uid

Code = tuple[str, str, str]  # value, coding scheme, meaning

CHEST: Code = ("51185008", "SCT", "Chest")
HEAD: Code = ("69536005", "SCT", "Head")


@dataclass(frozen=True)
class Patient:
    """A patient who never lived."""

    name: str
    patient_id: str
    birth_date: str
    sex: str
    age: str
    weight: str
    character_set: str


@dataclass(frozen=True)
class Study:
    """One examination: its folder is its name."""

    folder: str
    patient: Patient
    description: str
    procedure: Code
    region: Code
    body_part: str
    date: str
    time: str
    accession_number: str
    instance_uid: UID
    frame_of_reference_uid: UID


@dataclass(frozen=True)
class Series:
    """One series of a study: its folder is its name."""

    study: Study
    folder: str
    number: int
    modality: str
    description: str
    protocol: str
    time: str
    patient_position: str = ""

    @property
    def instance_uid(self) -> UID:
        return uid(self.study.instance_uid, self.folder)


CT_TORSO = Study(
    folder="ct-torso",
    patient=Patient("Phantom^Torso", "PHANTOM-0001", "19700101", "O", "056Y", "78", "ISO_IR 100"),
    description="CT chest with contrast",
    procedure=("24627-2", "LN", "CT Chest"),
    region=CHEST,
    body_part="CHEST",
    date="20260112",
    time="091500",
    accession_number="PH26-0001",
    instance_uid=uid("ct-torso"),
    frame_of_reference_uid=uid("ct-torso", "frame of reference"),
)
MR_HEAD = Study(
    folder="mr-head",
    patient=Patient("Phantom^Schädel", "PHANTOM-0002", "19850615", "O", "040Y", "66", "ISO_IR 100"),
    description="MR brain without contrast",
    procedure=("24590-2", "LN", "MR Brain"),
    region=HEAD,
    body_part="BRAIN",
    date="20260113",
    time="134000",
    accession_number="PH26-0002",
    instance_uid=uid("mr-head"),
    frame_of_reference_uid=uid("mr-head", "frame of reference"),
)
DX_CHEST = Study(
    folder="dx-chest",
    patient=Patient("Phantom^Thorax=幻影^胸部", "PHANTOM-0003", "19480229", "O", "077Y", "71", "ISO_IR 192"),
    description="Chest, two views",
    procedure=("36643-5", "LN", "XR Chest 2 Views"),
    region=CHEST,
    body_part="CHEST",
    date="20260114",
    time="080500",
    accession_number="PH26-0003",
    instance_uid=uid("dx-chest"),
    frame_of_reference_uid=uid("dx-chest", "frame of reference"),
)
