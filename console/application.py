"""The console as a WSGI application: addresses, and what answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from console import security, troubles
from console.markup.html import tag
from console.markup.page import page
from console.markup.words import address
from console.pages import flow as stages
from console.pages import listing, series
from console.pages.bulk import ask_bulk, bulk_done
from console.pages.confirm import confirm
from console.pages.edges import the_edges
from console.pages.ledger import the_ledger
from console.pages.modalities import the_modalities
from console.pages.runbook import runbook
from console.pages.sharing import import_of, members
from console.pages.slots import slots
from console.pages.study import study
from console.pages.viewing.instance import instance
from console.pages.viewing.instances import instances
from console.pages.viewing.pictures import Pictures
from console.pages.viewing.texts import Texts
from console.pages.viewing.viewer import viewer
from console.run import bulk, changes
from console.run.query import found, searched
from console.run.questions import answer, question
from console.run.sources import Sources
from console.workflow import graph
from console.workflow.executions import Execution
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.timeline import Timeline, timeline
from dicom_ingest.operators.read.state.attention import attention
from dicom_ingest.operators.read.state.edges import edges
from dicom_ingest.operators.read.state.flow import flow

STATIC = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SERIES = "/series/<uuid:transfer>/<series_uid>"

INSTANCE = f"{SERIES}/instances/<sop_uid>"


class Application:
    """Answers for one pipeline. Threads may call it at once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._pictures = Pictures(sources)
        self._texts = Texts(sources)
        self._graph = graph.read()
        self._addresses = Map(
            [
                Rule("/", endpoint=self._home),
                Rule("/live", endpoint=self._home_live),
                Rule("/study/<study_uid>", endpoint=self._study),
                Rule("/bulk", endpoint=self._bulk, methods=["GET"]),
                Rule("/bulk", endpoint=self._change_many, methods=["POST"]),
                Rule(SERIES, endpoint=self._series),
                Rule(INSTANCE, endpoint=self._instance),
                Rule(f"{INSTANCE}/document", endpoint=self._document),
                Rule(f"{SERIES}/live", endpoint=self._series_live),
                Rule(f"{SERIES}/frames/<int:number>.png", endpoint=self._frame),
                Rule(f"{SERIES}/thumbnail", endpoint=self._thumbnail),
                Rule(f"{SERIES}/reprocess", endpoint=self._reprocess, methods=["POST"]),
                Rule("/slots", endpoint=self._slots, methods=["GET"]),
                Rule("/slots", endpoint=self._change_slots, methods=["POST"]),
                Rule("/confirm", endpoint=self._ask, methods=["GET"]),
                Rule("/confirm", endpoint=self._answer, methods=["POST"]),
                Rule("/edges", endpoint=self._edges),
                Rule("/runbook", endpoint=self._runbook),
                Rule("/modalities", endpoint=self._modalities),
                Rule("/ledger", endpoint=self._ledger),
                Rule("/static/<name>", endpoint=self._static),
            ]
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        answer: Any
        try:
            answer = self._answer_to(request, environ)
        except HTTPException as error:
            answer = self._sorry(error)
        if isinstance(answer, Markup):
            answer = Response(answer, mimetype="text/html")
        body: Iterable[bytes] = security.harden(answer)(environ, start_response)
        return body

    def _answer_to(self, request: Request, environ: dict[str, Any]) -> Any:
        """What its address says.

        Raises:
            HTTPException: with words for the person who asks, whatever went wrong.
        """
        security.check(request)
        try:
            endpoint, values = self._addresses.bind_to_environ(environ).match()
        except ValueError as error:  # a number of thousands of digits
            raise NotFound from error
        try:
            return endpoint(request, **values)
        except Exception as error:  # the last place that can say it
            raise troubles.told(error, request) from error

    def _page(self, title: str, here: str, *content: Any) -> Markup:
        return page(title, self._sources.source.name, here, self._sources.source.note, *content)

    def _sorry(self, error: HTTPException) -> Any:
        """An error as a page of the console; a redirect as it is."""
        if error.code is None or error.code < 400:
            return error.get_response()
        words = [
            tag("h1", error.name),
            tag("p", error.description),
            tag("p", tag("a", "All series", href="/")),
        ]
        return Response(self._page(error.name, "", *words), status=error.code, mimetype="text/html")

    def _home(self, request: Request) -> Markup:
        query = request.args.to_dict()
        with self._sources.index() as index:
            names = [row["edge"] for row in edges(index)]
        return self._page(
            "Series",
            "/",
            tag("h1", "Where is it?", class_="unseen"),
            tag("p", "", id="said", class_="unseen", aria_live="polite"),
            *self._home_parts(request, query, listing.form(query, names)),
        )

    def _home_live(self, request: Request) -> Markup:
        return tag("div", *self._home_parts(request, request.args.to_dict()))

    def _home_parts(self, request: Request, query: dict[str, str], *between: Markup) -> list[Markup]:
        """The flow and the table, which change; what a person types into is between them and stays."""
        said = self._sources.edges()
        with self._sources.index() as index:
            counts, rows, calls = flow(index), found(index, query), attention(index, said)
        held = self._sources.held(searched(query)) if not listing.filtered(query) else []
        picture = tag(
            "div",
            stages.picture(counts, self._sources.edge(said), calls),
            id="flow",
            data_live=f"/live?{request.query_string.decode()}",
            data_said=stages.sentence(counts),
        )
        shown = [listing.at_edges(held), listing.listing(rows, query, self._sources.source.send_to)]
        return [picture, *between, tag("div", *shown, id="rows", data_live=True)]

    def _find(self, transfer: Any, series_uid: str) -> Timeline:
        """The series transfer of an address; NotFound where there is none."""
        with self._sources.index() as index:
            rows = places(index, Filter(transfer=str(transfer), series=series_uid))
            found = timeline(index, rows[0]["pk"]) if rows else None
        if found is None:
            raise NotFound(f"The index has no series {series_uid} of transfer {transfer}.")
        return found

    def _series(self, request: Request, transfer: Any, series_uid: str) -> Markup:
        found = self._find(transfer, series_uid)
        (frames, shown), execution = self._pictures.look(found), self._execution(found)
        number = request.args.get("frame", (len(frames) + 1) // 2, int)
        live = series.live(found, self._graph, execution)
        left = [live["steps"], viewer(found.series_transfer, shown, number)]
        if not frames and (text := self._texts.of_series(found)):
            left.insert(0, text)
        right = [
            series.facts(found, import_of(found), self._sources.source.viewer_url),
            series.actions(found),
            live["workflow"],
        ]
        return self._page(
            found.series_transfer["series_description"] or "Series",
            "",
            series.heading(found),
            live["live"],
            tag("div", tag("div", left), tag("div", right), class_="columns"),
            members(found) or "",
            instances(found, frames),
            series.event(execution),
        )

    def _series_live(self, _: Request, transfer: Any, series_uid: str) -> Markup:
        found = self._find(transfer, series_uid)
        return tag("div", list(series.live(found, self._graph, self._execution(found)).values()))

    def _execution(self, found: Timeline) -> Execution | None:
        return self._sources.execution(found.series_transfer["owner_execution"])

    def _instance(self, request: Request, transfer: Any, series_uid: str, sop_uid: str) -> Markup:
        row = self._find(transfer, series_uid).series_transfer
        dataset = self._texts.read(transfer, series_uid, sop_uid)
        parts = instance(row, sop_uid, dataset, request.args.get("q", ""))
        return self._page(f"Instance {sop_uid}", "", *parts)

    def _document(self, _: Request, transfer: Any, series_uid: str, sop_uid: str) -> Response:
        return self._texts.document(transfer, series_uid, sop_uid)

    def _frame(self, request: Request, transfer: Any, series_uid: str, number: int) -> Response:
        return self._pictures.frame(str(transfer), series_uid, number, request.args)

    def _thumbnail(self, _: Request, transfer: Any, series_uid: str) -> Response:
        return self._pictures.thumbnail(str(transfer), series_uid)

    def _reprocess(self, _: Request, transfer: Any, series_uid: str) -> Any:
        row = self._find(transfer, series_uid).series_transfer
        self._sources.reprocess(row, force=False)
        return redirect(address(row), 303)

    def _slots(self, request: Request) -> Markup:
        with self._sources.index() as index:
            return self._page("Slots", "/slots", *slots(index, request.args))

    def _study(self, _: Request, study_uid: str) -> Markup:
        held = self._sources.held(study_uid)
        with self._sources.index() as index:
            shown = study(index, study_uid, held, self._sources.source.viewer_url)
        return self._page(shown.title, "", *shown.parts)

    def _bulk(self, request: Request) -> Markup:
        with self._sources.index() as index:
            asked = bulk.wanted(index, request.args)
        return self._page(asked.title, "", *ask_bulk(asked))

    def _change_many(self, request: Request) -> Markup:
        done = bulk.change(self._sources, request.form)
        return self._page(done.title, "", *bulk_done(done))

    def _change_slots(self, request: Request) -> Any:
        changes.change(self._sources, request.form)
        return redirect(changes.back(request.form), 303)

    def _ask(self, request: Request) -> Markup:
        with self._sources.index() as index:
            asked = question(index, request.args)
        return self._page(asked.title, "", *confirm(asked))

    def _answer(self, request: Request) -> Any:
        with self._sources.index() as index:
            asked = question(index, request.form)
        answer(self._sources, asked, request.form)
        return redirect(asked.back, 303)

    def _runbook(self, _: Request) -> Markup:
        return self._page("Runbook", "", *runbook())

    def _edges(self, _: Request) -> Markup:
        with self._sources.index() as index:
            return self._page("Edges", "/edges", *the_edges(index, self._sources.edges()))

    def _modalities(self, request: Request) -> Markup:
        today = datetime.now(timezone.utc).date()
        with self._sources.index() as index:
            shown = the_modalities(index, request.args.to_dict(), today)
        return self._page("Modalities", "/modalities", *shown)

    def _ledger(self, _: Request) -> Markup:
        with self._sources.index() as index:
            return self._page("Ledger", "/ledger", *the_ledger(index))

    def _static(self, _: Request, name: str) -> Response:
        if name not in {path.name for path in STATIC.iterdir()}:
            raise NotFound
        path = STATIC / name
        return Response(path.read_bytes(), mimetype=TYPES[path.suffix])
