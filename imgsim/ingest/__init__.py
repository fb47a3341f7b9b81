"""Takes pictures into the store; it can be killed anywhere and run again.

An image's row and its vectors are committed together, so what is stored is whole. A file is locked
(an advisory lock of PostgreSQL) from the moment it is planned until it is written: two ingests of
one folder share the work, and what the other has in hand is looked at again at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imgsim import work
from imgsim.bibliography.identifiers import ECCO_NAME, name_pattern
from imgsim.collection import failures, runs
from imgsim.collection.images import Images, read_names_again
from imgsim.collection.locks import Locks
from imgsim.collection.writing import Writer
from imgsim.database.connection import Connection
from imgsim.database.session import require_session
from imgsim.database.turns import Shared
from imgsim.images import files
from imgsim.images.files import Found, Item, Refused
from imgsim.ingest.options import Options
from imgsim.ingest.pipeline import Pipeline
from imgsim.ingest.planning import FLUSH, Planner, Settled
from imgsim.ingest.summary import PassedOver, Progress, Summary
from imgsim.networks import models
from imgsim.similarity import index


def ingest(
    connection: Connection,
    paths: Iterable[Path],
    options: Options,
    on_progress: Progress = lambda summary: None,
    on_index: work.Progress = work.silent,
) -> Summary:
    """Takes the images under `paths` into the store, and builds the index of a new model.

    Raises:
        ImgsimError: it cannot work at all (a path does not exist; weights cannot be had, or are
            not the store's). A bad file is no error: it is recorded, and the rest goes on.
    """
    require_session(connection)
    pattern = name_pattern(options.pattern or ECCO_NAME)
    roots = sorted(files.roots(paths))  # a path that is not there is told before anything is done
    chosen = [models.ensure(connection, wanted) for wanted in options.wanted]
    run_id = runs.begin(connection, _arguments(options))
    shared = Shared(connection)
    writer = Writer(shared, chosen, pattern, run_id)
    images = Images(shared, chosen, pattern)
    pipeline = Pipeline(images, Locks(shared), writer, chosen, options, on_progress)
    status = "failed"
    try:
        pipeline.run(_wanted(files.find(map(Path, roots)), images, options, pipeline.summary))
        if options.limit is None:
            failures.forget_before_run(connection, run_id, roots)
        if options.pattern is not None:
            read_names_again(connection, roots, pattern)
        for model in chosen:
            with pipeline.timings.at_work("index"):
                index.build(connection, model, on_index)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        pipeline.timings.end()
        if not connection.closed:
            runs.end(
                connection,
                run_id,
                status,
                counts=pipeline.summary.counts(),
                timings=pipeline.timings.record(),
                device_used=pipeline.device_used,
            )
    return pipeline.summary


def survey(connection: Connection, paths: Iterable[Path], options: Options) -> Summary:
    """Counts what `ingest` would do; changes nothing and decodes nothing."""
    wanted = {w.name for w in options.wanted}
    chosen = [model for model in models.stored(connection) if model.name in wanted]
    shared = Shared(connection)
    images = Images(shared, chosen, name_pattern(options.pattern or ECCO_NAME))
    summary = Summary()
    with ThreadPoolExecutor(options.workers, "hash") as pool:
        names = [model.name for model in chosen]
        planner = Planner(images, Locks(shared), names, pool, summary.timings, change=False)
        for step in planner.steps(_wanted(files.find(paths), images, options, summary)):
            if isinstance(step, Refused):
                summary.refuse(step)
                summary.failed += 1
            elif isinstance(step, Settled):
                summary.count(step.kind, step.count)
            elif isinstance(step, PassedOver):
                summary.pass_over(step)
            elif step is not FLUSH:
                summary.count(step.kind)
    summary.timings.end()
    return summary


def _wanted(
    found: Iterable[Item], images: Images, options: Options, summary: Summary
) -> Iterator[Item]:
    """Yields what was found, without the pages that have no region where only those are wanted."""
    cut = images.cut_files() if options.only_regions else None
    for item in found:
        if cut is None or not isinstance(item, Found) or item.path in cut:
            yield item
        else:
            summary.without_regions += 1


def _arguments(options: Options) -> dict[str, object]:
    return {
        "models": [wanted.name for wanted in options.wanted],
        "device": options.device,
        "precision": options.precision,
        "batch_size": options.batch_size,
        "workers": options.workers,
        "name_pattern": options.pattern or ECCO_NAME,
        "limit": options.limit,
        "only_regions": options.only_regions,
    }
