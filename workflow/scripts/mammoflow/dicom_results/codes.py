"""Coded concepts of the DICOM objects (PS3.16), where pydicom does not name them."""

from pydicom.sr.coding import Code


def dcm(value: str, meaning: str) -> Code:
    """A concept that DICOM defines (PS3.16 annex D)."""
    return Code(value, "DCM", meaning)


def sct(value: str, meaning: str) -> Code:
    """A concept of SNOMED CT."""
    return Code(value, "SCT", meaning)


# PS3.16 CID 6015: "mass" is a finding in several views, its image in one view is a density.
DENSITY = sct("129793001", "Mammography breast density")
BREAST = sct("76752008", "Breast")
ABNORMAL_STRUCTURE = sct("49755003", "Morphologically Abnormal Structure")
MASS = sct("4147007", "Mass")

PERCENT = Code("%", "UCUM", "Percent")
MILLIMETRE = Code("mm", "UCUM", "millimeter")

# A score says how certain the detector is of a mass, not of cancer.
CERTAINTY = dcm("111012", "Certainty of Finding")
SUMMARY = dcm("111017", "CAD Processing and ImageFindings Summary")
WITHOUT_FINDINGS = dcm("111241", "All algorithms succeeded; without findings")
WITH_FINDINGS = dcm("111242", "All algorithms succeeded; with findings")

# PS3.16 CID 244, and CID 6023 for mammography CAD.
LATERALITIES = {"L": sct("7771000", "Left"), "R": sct("24028007", "Right")}
SIDES = {"L": sct("80248007", "Left breast"), "R": sct("73056007", "Right breast")}

# PS3.16 CID 4014, by the abbreviations of the ACR (PS3.3 C.8.11.7, ViewPosition).
VIEWS = {
    "ML": sct("399260004", "medio-lateral"),
    "MLO": sct("399368009", "medio-lateral oblique"),
    "LM": sct("399352003", "latero-medial"),
    "LMO": sct("399099002", "latero-medial oblique"),
    "CC": sct("399162004", "cranio-caudal"),
    "FB": sct("399196006", "caudo-cranial (from below)"),
    "SIO": sct("399188001", "superolateral to inferomedial oblique"),
    "ISO": sct("441555000", "inferomedial to superolateral oblique"),
    "XCCL": sct("399192008", "cranio-caudal exaggerated laterally"),
    "XCCM": sct("399101009", "cranio-caudal exaggerated medially"),
}
