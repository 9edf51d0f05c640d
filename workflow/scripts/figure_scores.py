"""Accuracy and Az of every run and fold, over their mean."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.report.figures import style, training_scores
from mammoflow.report.tables import trainings

params, output = snakemake.params, snakemake.output
rows = [
    {**run, **trainings.accuracy_and_az(classification)}
    for run, classification in zip(
        params.runs, trainings.read(snakemake.input.classifications, params.runs), strict=True
    )
]
first = params.first
names = [params.labels["datasets"][runs[0]["dataset"]] for runs in (params.runs[:first], params.runs[first:])]
figure = training_scores.draw(
    {
        f"Experiment 1, {names[0]}": rows[:first],
        f"Experiments 2 and 3, {names[1]}": rows[first:],
    },
    params.labels,
)
style.save(figure, output.png, output.svg)
logs.announce(f"{output.png}: {len(rows)} trainings")
