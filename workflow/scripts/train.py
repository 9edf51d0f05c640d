"""Train one network from one initialisation on one fold, once."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import bank, provenance, runtime, seeds, training
from mammoflow.contracts.history import HISTORY
from mammoflow.contracts.stored import GREY_SCALE

wildcards, params = snakemake.wildcards, snakemake.params
runtime.configure(snakemake.threads)

settings = training.Settings.from_config(params.training)
names = (wildcards.dataset, wildcards.backbone, wildcards.init, wildcards.fold, wildcards.run)
seed = seeds.integer(params.seed, "train", *names)
title = "{} fold {} {} {} run {}".format(*(names[i] for i in (0, 3, 1, 2, 4)))
policy = runtime.policy(settings.precision)

with bank.open_bank(snakemake.input.bank, training.MEMORY) as patches:
    model, origin = training.start(
        wildcards.backbone, patches.window, policy, snakemake.input.initial, snakemake.input.metadata, seed
    )
    kind = "random" if wildcards.init == "random" else "pretrained"
    fitted = training.fit(
        model, patches, settings, settings.learning_rate[kind], params.normalization, seed, title
    )
    digests = {part: getattr(patches, part).digest for part in bank.PARTS}

HISTORY.write(fitted.history, snakemake.output.history)
network = {"backbone": wildcards.backbone, "window": model.input_shape[1]}
training.save(
    fitted,
    snakemake.output.weights,
    snakemake.output.metadata,
    network | {"normalization": params.normalization, "precision": policy},
    init=wildcards.init,
    origin=origin,
    seed=seed,
    grey_scale=GREY_SCALE,
    provenance=provenance.record(
        settings=params.training, bank=digests, seconds=fitted.history["seconds"].sum(), **runtime.facts()
    ),
)
best = fitted.history.iloc[fitted.best_epoch - 1]
logs.announce(
    f"{title}: best of {len(fitted.history)} epochs {fitted.best_epoch}, "
    f"validation loss {fitted.validation_loss:.3f}, Az {best['validation_az']:.3f}, "
    f"{fitted.patches_per_second:.0f} patches/s"
)
