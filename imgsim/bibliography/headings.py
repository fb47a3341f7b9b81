"""Column headings of catalogues: which mean a column of ECCO's bibliography."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from imgsim.bibliography.identifiers import DOCUMENT_COLUMNS

# Headings whose meaning is plain. Not here: `id`, `type`, `format`, `name`, `city of publisher`.
ALIASES = {
    "ecco_id": ("ecco", "ecco_no", "ecco_number", "ecco_document_id", "document_id"),
    "estc_id": ("estc", "estc_no", "estc_nr", "estc_number"),
    "ecco_full_title": ("full_title", "title", "ecco_title", "title_full", "book_title"),
    "ecco_pages": ("pages", "page_count", "number_of_pages", "no_of_pages"),
    "language_primary": ("language", "primary_language"),
    "gatherings": ("gathering",),
    "publication_year": (
        *("year", "pub_year", "year_of_publication", "year_published", "imprint_year"),
        *("publication_date", "pub_date", "date_of_publication", "date"),
    ),
    "publication_decade": ("decade", "pub_decade"),
    "work_id": ("work",),
    "publication_place": (
        *("place", "pub_place", "place_of_publication", "imprint_place", "publication_city"),
    ),
    "publication_country": ("country", "pub_country", "country_of_publication"),
    "document_type": ("doc_type", "type_of_document"),
    "sub_category": ("subcategory",),
    "authors": ("author", "author_s", "author_name", "author_names"),
}


def plain(heading: str) -> str:
    """A heading without case, accents, blanks and marks.

    >>> plain("Publication Year"), plain("publication-year"), plain("publicationYear")
    ('publication_year', 'publication_year', 'publication_year')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", heading.strip())
    folded = unicodedata.normalize("NFKD", spaced).casefold()
    return re.sub(r"[^a-z0-9]+", "_", folded.encode("ascii", "ignore").decode()).strip("_")


def known_columns(headings: Sequence[str]) -> dict[str, int]:
    """For each ECCO column that a table has, where it stands.

    A heading that is the column's own name goes before one that only means it. Of several of
    either kind none is taken unless one is written exactly so: nobody can tell which is meant.
    """
    plains = [plain(heading) for heading in headings]
    known = {}
    for column in DOCUMENT_COLUMNS:
        exact = [at for at, heading in enumerate(headings) if heading == column]
        named = [at for at, name in enumerate(plains) if name in (column, column.replace("_", ""))]
        meant = [at for at, name in enumerate(plains) if name in ALIASES[column]]
        found = exact or named or meant
        if len(found) == 1:
            known[column] = found[0]
    return known
