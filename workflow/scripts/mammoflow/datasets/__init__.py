"""Archives of mammograms: one module each, from a release on disk to images, lesions and exclusions."""

from mammoflow.datasets import cbis_ddsm, inbreast, mini_mias

ARCHIVES = {"cbis-ddsm": cbis_ddsm, "inbreast": inbreast, "mini-mias": mini_mias}
