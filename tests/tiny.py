"""A tiny store made in SQL: twelve images of three books with vectors of two models."""

from __future__ import annotations

from imgsim.database.connection import Connection

NAME = "096240010000330_0"

IMAGES = f"""
insert into imgsim.image
    (image_id, name, path, sha256, bytes, modified_ns, width, height, mode, format, ecco_id)
select n, case when n = 7 then '{NAME}' else 'image ' || n end, '/scans/' || n, md5(n::text),
    1, 1, 1, 1, 'L', 'PNG', lpad((n % 3)::text, 10, '0')
from generate_series(1, 12) n
"""
VECTORS = """
insert into imgsim.embedding_{model} (image_id, embedding)
select n, unit.v
from generate_series(1, 12) n
cross join lateral (
    select array_agg(sin(n * (d % 7) + d)) as v from generate_series(1, {dimension}) d
) unit
"""
LISTS = """
insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
select m.model_id, i.image_id, array_agg(s.image_id order by s.rank),
    array_agg(s.similarity order by s.rank)
from imgsim.model m
cross join imgsim.image i
cross join lateral imgsim.similar(i.image_id, model => m.name, k => 4) s
group by m.model_id, i.image_id
"""
STATE = """
insert into imgsim.neighbour_state (model_id, k, images, revision)
select model_id, 4, 12, revision from imgsim.model
"""
PAIRS = """
insert into imgsim.pair_state (model_id, threshold, images, revision)
select model_id, 0.94, 12, revision from imgsim.model
"""


def fill(connection: Connection) -> None:
    """Put the images, vectors, indexes, neighbour lists (k = 4) and pairs into a new database."""
    connection.execute(IMAGES.encode())
    for model, dimension in (("resnet18", 512), ("resnet50", 2048)):
        connection.execute(
            "select imgsim.add_model(%s, %s, %s, 'synthetic', 'none', 'fit')",
            [model, model, dimension],
        )
        connection.execute(VECTORS.format(model=model, dimension=dimension).encode())
        connection.execute("select imgsim.build_embedding_index(%s)", [model])
    connection.execute(LISTS.encode())
    connection.execute(STATE.encode())
    connection.execute(PAIRS.encode())
