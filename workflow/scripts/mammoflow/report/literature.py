"""Published results: those of the paper, and those of other work for comparison.

The ``source`` of every row is ``paper`` for Agarwal et al. 2019 and ``literature`` for others. Values that
a publication does not state, as far as we know, are NaN or empty. The names of data sets are those of the
real archives; results on phantoms never have these names.

References
----------
.. [1] Agarwal et al., "Automatic mass detection in mammograms using deep convolutional neural
   networks", Journal of Medical Imaging 6(3), 031409 (2019), doi:10.1117/1.JMI.6.3.031409.
.. [2] Kozegar et al., J. Cancer Res. Ther. 9(4), 592-600 (2013).
.. [3] Akselrod-Ballin et al., Lect. Notes Comput. Sci. 10553, 321-329 (2017).
.. [4] Dhungel, Carneiro and Bradley, Med. Image Anal. 37, 114-128 (2017).
.. [5] Ribli et al., Sci. Rep. 8, 4165 (2018).
.. [6] Min et al., "Fully automatic computer-aided mass detection and segmentation via pseudo-color
   mammograms and Mask R-CNN", ISBI 2020, arXiv:1906.12118.
.. [7] Agarwal et al., "Deep learning for mass detection in full field digital mammograms", Comput.
   Biol. Med. 121, 103774 (2020), doi:10.1016/j.compbiomed.2020.103774.
"""

import pandas as pd

NAN = float("nan")

CASCADE = "ImageNet → CBIS-DDSM → INbreast"

_DESCRIPTION = [
    # data, part, cases +/-, images +/-, masses, patches +/-
    ("CBIS-DDSM", "train", 553, NAN, 985, NAN, 1055, 25979, 25979),
    ("CBIS-DDSM", "validation", 138, NAN, 246, NAN, 263, 6210, 6210),
    ("CBIS-DDSM", "test", 201, NAN, 361, NAN, 378, 8694, 8694),
    ("INbreast", "train", 30, 35, 66, 191, 68, 2020, 2101),
    ("INbreast", "validation", 10, 11, 20, 61, 21, 539, 549),
    ("INbreast", "test", 10, 12, 21, 51, 23, 882, 918),
]

_PAPER = ("paper", "Agarwal et al. 2019")
_ALL = (410, "all images")
_IOU = ("IoU > 0.2", "410 images")

_OPERATING_POINTS = [
    # source, method, chain, FPI, TPR, std, images, subset, hit rule, denominator
    *(
        (*_PAPER, CASCADE, fpi, tpr, std, *_ALL, *_IOU)
        for fpi, tpr, std in (
            (0.25, 0.87, 0.07),
            (0.44, 0.90, 0.06),
            (0.50, 0.92, 0.04),
            (0.58, 0.93, 0.04),
            (0.79, 0.95, 0.04),
            (1.67, 0.98, 0.02),
        )
    ),
    (*_PAPER, CASCADE, 1.70, 0.82, 0.20, *_ALL, "IoU ≥ 0.5", "410 images"),
    (*_PAPER, "ImageNet → INbreast", 2.10, 0.91, 0.07, *_ALL, *_IOU),
    ("literature", "Kozegar et al. 2013", "", 3.67, 0.87, NAN, 107, "images with masses", "IoU 0.2", ""),
    ("literature", "Akselrod-Ballin et al. 2017", "", 0.56, 0.93, NAN, 100, "100 of 410 images", "", ""),
    ("literature", "Dhungel et al. 2017", "", 5.0, 0.95, 0.02, 410, "all images", "IoU 0.2", ""),
    (
        "literature",
        "Ribli et al. 2018",
        "",
        0.3,
        0.90,
        NAN,
        410,
        "malignant only",
        "centre in box",
        "410 images",
    ),
    ("literature", "Min et al. 2020", "", 0.9, 0.90, NAN, NAN, "subset not stated", "", ""),
    ("literature", "Agarwal et al. 2020", "", 1.17, 0.99, 0.03, NAN, "malignant only", "", ""),
    ("literature", "Agarwal et al. 2020", "", 1.0, 0.85, 0.08, NAN, "benign only", "", ""),
]

# TPR by lesion size at one FPI (section 3, figure 5).
SIZE_FPI = 0.5
SIZE_TPR = {"small": 0.89, "medium": 0.97, "large": 0.97}

# FPI of the paper's one operating point at IoU 0.5.
STRICT_FPI = 1.7


def data_description() -> pd.DataFrame:
    """Table 1: columns source, data, part and counts; one fold of each archive."""
    columns = ["data", "part", "cases_positive", "cases_negative", "images_positive", "images_negative"]
    columns += ["masses", "patches_positive", "patches_negative"]
    return pd.DataFrame(_DESCRIPTION, columns=columns).assign(source="paper")


def classification() -> pd.DataFrame:
    """What is known of table 2: the best network on CBIS-DDSM; accuracy in %."""
    return pd.DataFrame(
        {
            "source": ["paper"],
            "data": ["CBIS-DDSM"],
            "network": ["InceptionV3"],
            "initialization": ["ImageNet"],
            "folds": [1],
            "runs": [5],
            "accuracy_percent_mean": [84.16],
            "accuracy_percent_std": [0.19],
            "az_mean": [0.93],
            "az_std": [0.01],
        }
    )


def cascades() -> pd.DataFrame:
    """What is known of table 3: the longer cascade on INbreast; accuracy in %."""
    return pd.DataFrame(
        {
            "source": ["paper"],
            "network": ["InceptionV3"],
            "cascade": [CASCADE],
            "folds": [5],
            "accuracy_percent_mean": [88.86],
            "accuracy_percent_std": [2.96],
        }
    )


def operating_points() -> pd.DataFrame:
    """Published TPR at FPI on INbreast: table 4, the points of the text, and later work.

    Returns
    -------
    pandas.DataFrame
        Columns source, method, cascade, fpi, tpr_mean, tpr_std, images, subset, hit_rule, denominator
        (the images that false positives are counted over) and data.
    """
    columns = ["source", "method", "cascade", "fpi", "tpr_mean", "tpr_std"]
    columns += ["images", "subset", "hit_rule", "denominator"]
    return pd.DataFrame(_OPERATING_POINTS, columns=columns).assign(data="INbreast")
