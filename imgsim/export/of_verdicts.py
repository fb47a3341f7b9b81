"""What is exported of verdicts: every one ever given, with the books on both sides."""

from __future__ import annotations

from imgsim.database.connection import Connection
from imgsim.export.joined import Joined, Query, Step, one_row


def all_verdicts(connection: Connection) -> Joined:
    """Every verdict, its first columns those that `imgsim verdict --load` reads."""
    counts = one_row(
        connection,
        Query(
            """
            select (select count(*) from imgsim.verdict), count(*),
                count(*) filter (where d.ecco_id is not null and od.ecco_id is not null)
            from imgsim.verdict_ecco v
            left join imgsim.ecco_document d on d.ecco_id = v.ecco_id
            left join imgsim.ecco_document od on od.ecco_id = v.other_ecco_id
            """
        ),
    )
    return Joined(
        "every verdict, with the books on both sides",
        Query("select * from imgsim.verdict_ecco order by verdict_id"),
        ("verdict_id",),
        (
            Step("verdicts", counts[0]),
            Step("after looking up pictures and books", counts[1]),
            Step("of these with a book on both sides", counts[2]),
        ),
        Query(
            """
            select w.*
            from imgsim.image_without_document w
            where w.image_id in (
                select image_id from imgsim.verdict union select other_id from imgsim.verdict
            )
            order by w.image_id
            """
        ),
    )
