"""Train one network on one fold, from one initialisation, for one run; once more, with its hard negatives."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib", "sklearn")

import contextlib
import time
from pathlib import Path

from mammoflow.base import seeds, storage
from mammoflow.base.contracts.history import HISTORY
from mammoflow.base.contracts.index import LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import GREY_SCALE, STORED
from mammoflow.networks import runtime, trained
from mammoflow.patches import bank, leakage
from mammoflow.study import provenance
from mammoflow.training import fitting, resume

imports.end()

begun = time.monotonic()
wildcards, params = snakemake.wildcards, snakemake.params
hard = snakemake.input.get("hard_negatives")  # of the second training only
settings = fitting.Settings.from_config(params.training)
runtime.configure(snakemake.threads, settings.gpus)

names = (wildcards.dataset, wildcards.backbone, wildcards.init, wildcards.fold, wildcards.run)
# An ablation uses the same random numbers as the model that it is compared with.
chain = wildcards.init.partition("@")[0]
seed = seeds.integer(params.seed, "retrain" if hard else "train", *names[:2], chain, *names[3:])
title = "{} fold {} {} {} run {}".format(*(names[i] for i in (0, 3, 1, 2, 4)))
title += ", hard negatives" if hard else ""
policy = runtime.policy(settings.precision)
kind = "pretrained" if snakemake.input.initial else "random"

with contextlib.ExitStack() as opened:
    patches = opened.enter_context(bank.open_banks(snakemake.input.banks, params.folds, fitting.MEMORY))
    if hard:
        negatives = opened.enter_context(bank.open_negatives(hard, fitting.MEMORY))
        images = {part: rows.image_id for part, rows in negatives.items()}
        leakage.check_parts(SPLITS.read(snakemake.input.splits[0]), int(wildcards.fold), images, hard)
        patches = patches.extended(negatives)
    opened.enter_context(runtime.strategy().scope())
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
        datasets=[
            {
                "images": provenance.fingerprint(STORED.read(stored), LESIONS.read(lesions)),
                "splits": storage.sha256(splits),
            }
            for stored, lesions, splits in zip(
                snakemake.input.stored, snakemake.input.lesions, snakemake.input.splits, strict=True
            )
        ],
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
