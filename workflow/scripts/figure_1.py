"""Figure 1: the framework on one real case of the run."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import examples, froc, images, mpm, naming, patches, storage, tables
from mammoflow.figures import framework, style

given, params = snakemake.input, snakemake.params
evaluation = froc.Evaluation(**params.evaluation)
points = examples.definition(tables.read(given.points, "froc-points"), evaluation)
threshold = examples.operating_threshold(points)
splits, lesions = tables.read(given.splits, "splits"), tables.read(given.lesions, "lesions")
folds = examples.folds_of(splits, lesions, [tables.read(path, "detections") for path in given.detections])
boxes, missed = examples.examine(folds, threshold, evaluation)
example = examples.one(boxes, missed, folds)

with storage.open_hdf5(given.mpms[example.fold]) as file:
    grid = mpm.read_grid(file, example.image_id)
figure = framework.draw(
    images.open_store(given.stores)[example.image_id],
    grid,
    boxes[(boxes["image_id"] == example.image_id) & (boxes["fold"] == example.fold)],
    patches.Windows(**params.patches),
    threshold,
    tables.read(given.images, "images").set_index("image_id").loc[example.image_id, "spacing_mm"],
    f"{naming.experiment(params.chain, params.labels)}: image {example.image_id}",
)
style.save(figure, snakemake.output.png, snakemake.output.svg)
logs.announce(f"{snakemake.output.png}: image {example.image_id} at threshold {threshold:g}")
