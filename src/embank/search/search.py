"""Search in a bank: texts or vectors in, the closest texts out, as a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds, Vectors
from embank.errors import UsageError
from embank.labels.kinds import APART
from embank.predict.fused import FusedHeads
from embank.predict.load import load_tasks
from embank.predict.output_columns import answer_columns
from embank.search import Neighbours, SearchSettings
from embank.search.column import BLOCK, SearchedColumn, full_name
from embank.search.graph_cache import current_graph
from embank.search.queries import query_vectors
from embank.search.rescoring import search_index, search_vectors
from embank.session import Session
from embank.store.folder import Store
from embank.store.ids import TextNames, given_ids
from embank.store.kept_texts import kept_texts


def search(
    session: Session, queries: Sequence[Any] | Vectors, settings: SearchSettings, ids: Sequence[Any] = ()
) -> pa.Table:
    """The closest texts of each query, by cosine.

    Args:
        session: of the bank; nothing is added but what makes the next search quicker: lengths of vectors, or a graph.
        queries: texts, or pairs, or vectors float32 `[queries, width]`. A text that the bank has is searched with its
            stored row; others are encoded and not banked.
        settings: k, column, filters, exact or approximate.
        ids: what the queries are called; left out, they are numbered from 0.

    Returns:
        `query`, `rank` (from 1), `id` (the first one of the text, or its hash), `score` (higher is closer), and `text`
        where the bank keeps any of these texts; pairs as lists of two. Ties: in the order in which texts were banked.

    Raises:
        UsageError: unknown column, task or label; a query that cannot be encoded or compared.
        HeadError: a task of a filter no longer fits the bank.
        ExtraMissingError: an approximate search without usearch.
    """
    if isinstance(queries, str):
        raise UsageError("queries is one string; give a list of texts")
    if ids and len(ids) != len(queries):
        raise UsageError(f"found {len(ids)} ids for {len(queries)} queries, expected one each")
    store = session.store
    column = SearchedColumn(store, full_name(session, settings.column)).stored.name
    vectors = _vectors(session, column, queries)
    allowed = allowed_texts(store, column, settings.where) if settings.where else None
    if settings.way == "approximate":
        searched = SearchedColumn(store, column)
        found = search_index(searched, current_graph(store, searched)[0], vectors, settings.k)
    else:
        found = search_vectors(store, column, vectors, settings.k, allowed)
    return _table(store, found, list(ids) or list(range(len(vectors))))


def _vectors(session: Session, column: str, queries: Sequence[Any] | Vectors) -> Vectors:
    if isinstance(queries, np.ndarray):
        return queries.astype(np.float32, copy=False)
    return query_vectors(session, column, queries)


def allowed_texts(store: Store, column: str, where: Sequence[tuple[str, str]]) -> TextIds:
    """Numbers of a column's texts of which tasks predict what is asked for, ascending; the predictions are made here.

    Raises:
        UsageError: unknown task or label, or a task that does not label single texts.
    """
    tasks = load_tasks(store, list(dict.fromkeys(task for task, _ in where)))
    heads = {task.name: task for task in tasks}
    for name, label in where:
        if name not in heads:
            raise UsageError(f"task {name!r} is a tail: a search is narrowed by tasks on vectors only")
        head = heads[name].head
        if heads[name].reads == APART or head.kind not in ("single", "multi"):
            raise UsageError(f"task {name!r} gives no label to single texts: a search cannot be narrowed by it")
        if label not in head.labels:
            raise UsageError(f"task {name!r} has no label {label!r}; it has: {', '.join(head.labels)}")
    fused = FusedHeads(store, tasks)
    passed = [np.empty(0, np.int64)]
    for texts in store.reader(column).blocks(BLOCK):
        labels = {outputs.task.name: answer_columns(outputs, proba=False) for outputs in fused.predict(texts)}
        masks = [_has(labels[name][name], label, len(texts)) for name, label in where]
        passed.append(texts[np.all(masks, axis=0)])
    return np.sort(np.concatenate(passed))


def _has(answers: pa.Array, label: str, texts: int) -> np.ndarray:
    """Which texts are given a label, alone or among others."""
    listed = answers.to_pylist()
    return np.fromiter((label in said if isinstance(said, list) else said == label for said in listed), np.bool_, texts)


def _table(store: Store, found: Neighbours, called: list[Any]) -> pa.Table:
    columns: dict[str, Any] = {
        "query": given_ids([called[at] for at in found.queries.tolist()]),
        "rank": found.ranks,
        "id": TextNames(store).first_of(found.texts),
        "score": found.scores,
    }
    kept = kept_texts(store, sorted(set(found.texts.tolist())))
    if kept:
        bodies = [kept.get(text) for text in found.texts.tolist()]
        paired = any(isinstance(body, tuple) for body in bodies)
        columns["text"] = [[body] if paired and isinstance(body, str) else body for body in bodies]
    return pa.table(columns)
