"""Train one network on one fold, from one initialisation, for one run."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import time
from pathlib import Path

from mammoflow.base import seeds, storage
from mammoflow.base.contracts.history import HISTORY
from mammoflow.base.contracts.index import LESIONS
from mammoflow.base.contracts.stored import GREY_SCALE, STORED
from mammoflow.networks import runtime, trained
from mammoflow.patches import bank
from mammoflow.study import provenance
from mammoflow.training import fitting, resume

begun = time.monotonic()
wildcards, params = snakemake.wildcards, snakemake.params
settings = fitting.Settings.from_config(params.training)
runtime.configure(snakemake.threads, settings.gpus)

names = (wildcards.dataset, wildcards.backbone, wildcards.init, wildcards.fold, wildcards.run)
# An ablation uses the same random numbers as the model that it is compared with.
chain = wildcards.init.partition("@")[0]
seed = seeds.integer(params.seed, "train", *names[:2], chain, *names[3:])
title = "{} fold {} {} {} run {}".format(*(names[i] for i in (0, 3, 1, 2, 4)))
policy = runtime.policy(settings.precision)
kind = "random" if chain == "random" else "pretrained"

with (
    bank.open_bank(snakemake.input.bank, fitting.MEMORY) as patches,
    runtime.strategy().scope(),
):
    model, origin = fitting.start(
        wildcards.backbone, patches.window, policy, snakemake.input.initial, snakemake.input.metadata, seed
    )
    digests = {part: getattr(patches, part).digest for part in bank.PARTS}
    checkpoint = resume.Checkpoint(
        Path(params.state),
        resume.identity(
            names=names,
            seed=seed,
            settings=params.training,
            normalization=params.normalization,
            policy=policy,
            machine={"processor": provenance.processor(), **runtime.facts()},
            bank=digests,
            origin=origin,
            code=[*params[: len(params) - len(params.keys())], *params.network],  # the unnamed ones
            packages=provenance.packages(),
        ),
    )
    fitted = fitting.fit(
        model,
        patches,
        settings,
        settings.learning_rate[kind],
        params.normalization,
        seed,
        title,
        checkpoint,
        Path(params.events),
    )

HISTORY.write(fitted.history, snakemake.output.history)
trained.save(
    fitted,
    snakemake.output.weights,
    snakemake.output.metadata,
    {
        "backbone": wildcards.backbone,
        "window": model.input_shape[1],
        "normalization": params.normalization,
        "precision": policy,
    },
    init=wildcards.init,
    origin=origin,
    seed=seed,
    grey_scale=GREY_SCALE,
    provenance=provenance.record(
        settings=params.training,
        config={"normalization": params.normalization, "patches": params.patches},
        dataset=provenance.fingerprint(
            STORED.read(snakemake.input.stored), LESIONS.read(snakemake.input.lesions)
        ),
        splits=storage.sha256(snakemake.input.splits),
        bank=digests,
        seconds=fitted.history["seconds"].sum(),
        job_seconds=time.monotonic() - begun,
        **runtime.facts(),
    ),
)
checkpoint.remove()
best = fitted.history.iloc[fitted.best_epoch - 1]
logs.announce(
    f"{title}: best of {len(fitted.history)} epochs {fitted.best_epoch}, "
    f"validation loss {fitted.validation_loss:.3f}, Az {best['validation_az']:.3f}, "
    f"{fitted.patches_per_second:.0f} patches/s"
)
