"""Whether what an import brought was divided rightly among the series that shared it."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.db.server.connection import Connection

# `unexplained` are the words of `decisions.record_import`; an image set is of one series.
_UNEVEN = """
WITH lately AS (
    SELECT DISTINCT j.bundle FROM series_transfer t
    JOIN ahlijob j ON j.series_transfer_pk = t.pk AND j.bundle IS NOT NULL
    WHERE t.edge = :edge AND t.created_at > now() - make_interval(days => :days)),
counted AS (
    SELECT j.bundle, max(j.import_id) AS import_id, count(*) AS series,
        count(DISTINCT j.import_id) AS imports, count(*) FILTER (WHERE j.leads) AS leaders,
        max(t.transfer_series) AS announced,
        count(*) FILTER (WHERE t.outcome = 'COMPLETED'
            AND (t.scanned IS DISTINCT FROM t.instance_count OR t.imported IS DISTINCT FROM t.instance_count))
            AS miscounted,
        max(t.outcome_detail) FILTER (
            WHERE t.outcome_detail LIKE '%the import that % series share says that it scanned%')
            AS unexplained,
        (SELECT count(*) FROM (
            SELECT FROM ahlijob m JOIN ahliimageset s
                ON s.series_transfer_pk = m.series_transfer_pk AND s.ahlijob_pk = m.pk
            WHERE m.bundle = j.bundle
            GROUP BY s.image_set_id HAVING count(DISTINCT s.series_transfer_pk) > 1) both_have)
            AS image_sets_of_several
    FROM lately l
    JOIN ahlijob j ON j.bundle = l.bundle
    JOIN series_transfer t ON t.pk = j.series_transfer_pk
    GROUP BY j.bundle HAVING NOT bool_or(j.live) AND max(j.import_id) IS NOT NULL)
SELECT bundle, import_id, series, imports, leaders, announced, miscounted, unexplained, image_sets_of_several
FROM counted
WHERE imports <> 1 OR leaders <> 1 OR series IS DISTINCT FROM announced OR miscounted > 0
    OR unexplained IS NOT NULL OR image_sets_of_several > 0
ORDER BY bundle
"""


@dataclass(frozen=True)
class Uneven:
    """A shared import that has ended, and does not add up."""

    bundle: int
    import_id: str | None
    series: int
    imports: int
    leaders: int
    announced: int | None
    miscounted: int
    unexplained: str | None
    image_sets_of_several: int

    def words(self) -> str:
        """What does not add up."""
        found = {
            f"they name {self.imports} imports": self.imports != 1,
            f"{self.leaders} of them lead it": self.leaders != 1,
            f"their transfer has {self.announced} series": self.series != self.announced,
            f"{self.miscounted} are COMPLETED with other counts than announced": self.miscounted > 0,
            f"{self.image_sets_of_several} image sets belong to several of them": (
                self.image_sets_of_several > 0
            ),
            self.unexplained or "": self.unexplained is not None,
        }
        differences = "; ".join(words for words, differs in found.items() if differs)
        return f"{self.series} series share this import: {differences}"


def uneven(connection: Connection, edge: str, days: int) -> list[Uneven]:
    """Shared imports of an edge that the index first heard of in the last days, as far as they have ended."""
    return connection.rows(Uneven, _UNEVEN, edge=edge, days=days)
