"""`imgsim report coverage` and `failures`: what the store holds, and what it could not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgsim.cli.arguments import report_options
from imgsim.cli.place import Place, pass_place
from imgsim.cli.reports.delivery import deliver_report, report

if TYPE_CHECKING:
    from imgsim.database.connection import Connection, Table


@report.command()
@report_options
@pass_place
def coverage(place: Place, /, **given: Any) -> None:
    """How many images have a book in the bibliography, how many books have images?

    In psql: select * from imgsim.coverage;
    """
    deliver_report(place, "coverage", given, computes=False)


@report.command()
@report_options
@pass_place
def failures(place: Place, /, **given: Any) -> None:
    """Which files could not be taken in, and why?

    In psql: select * from imgsim.failure;
    """

    def title(connection: Connection, answer: Table) -> str:
        return "" if answer.rows else "no failures: every file was taken in"

    deliver_report(place, "failures", given, title=title, computes=False)
