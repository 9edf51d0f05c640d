"""The workflow, for `snakemake` in the project's folder; it is in workflow/Snakefile."""


include: "workflow/Snakefile"


# An include leaves the default target as it was.
workflow.default_target = "all"
