"""Routes of many allocations at once: one transaction, and each item succeeds or fails alone."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from allocation_api.allocations.models import (
    AllocatedBatch,
    Allocation,
    ChangedBatch,
    Extensions,
    NewAllocations,
    RefusedChange,
    RefusedRequest,
    Releases,
)
from allocation_api.allocations.routes import wanted
from allocation_api.allocations.shown import shown
from allocation_api.caller import Caller
from allocation_api.errors import ApiError, forbidden, not_found
from allocation_api.failures import answer_to
from allocation_api.routing import Router
from allocation_api.wire import Problem
from scheduler.allocation.allocate import Allocator
from scheduler.allocation.leases import Leases
from scheduler.database import allocations
from scheduler.database.allocations import AllocationRecord
from scheduler.database.connection import Database

_Change: TypeAlias = Callable[[list[AllocationRecord]], Sequence[AllocationRecord | Exception]]


def batch_routes(
    database: Database, allocator: Allocator, leases: Leases, default_minutes: int
) -> Router:
    """Return the routes, which allocate, release and extend."""
    router = Router()

    @router.post("/api/allocations/batch")
    def allocate(body: NewAllocations) -> AllocatedBatch:
        caller = router.caller
        own = [item for item in body.requests if caller.may_act_for(item.user_id)]
        requests = [wanted(item, item.idempotency_key, default_minutes) for item in own]
        outcomes = iter(allocator.allocate_all(requests, caller.actor) if requests else ())
        results: list[Allocation | RefusedRequest] = []
        for item in body.requests:
            outcome = next(outcomes) if caller.may_act_for(item.user_id) else forbidden()
            if isinstance(outcome, Exception):
                results.append(RefusedRequest(user_id=item.user_id, error=_problem(outcome)))
            else:
                results.append(shown(outcome))
        return AllocatedBatch(**_counts(results), results=results)

    @router.post("/api/allocations/batch/release")
    def release(body: Releases) -> ChangedBatch:
        actor = router.caller.actor
        return _changed(body.allocation_ids, lambda owned: leases.release(owned, actor))

    @router.post("/api/allocations/batch/extend")
    def extend(body: Extensions) -> ChangedBatch:
        actor, minutes = router.caller.actor, body.additional_minutes
        return _changed(body.allocation_ids, lambda owned: leases.extend(owned, minutes, actor))

    def _changed(ids: Sequence[str], change: _Change) -> ChangedBatch:
        with database.transaction() as sql:
            found = allocations.by_id(sql, ids)
        refused = {id_: error for id_ in ids if (error := _refusal(router.caller, found.get(id_)))}
        owned = [found[id_] for id_ in dict.fromkeys(ids) if id_ not in refused]
        outcomes = dict(zip((one.id for one in owned), change(owned), strict=True))
        results: list[Allocation | RefusedChange] = []
        for id_ in ids:
            outcome = refused.get(id_) or outcomes[id_]
            if isinstance(outcome, Exception):
                results.append(RefusedChange(id=id_, error=_problem(outcome)))
            else:
                results.append(shown(outcome))
        return ChangedBatch(**_counts(results), results=results)

    return router


def _refusal(caller: Caller, found: AllocationRecord | None) -> ApiError | None:
    if found is None:
        return not_found("allocation")
    return None if caller.may_act_for(found.user_id) else forbidden()


def _problem(error: Exception) -> Problem:
    return Problem(**answer_to(error).body["error"])


def _counts(results: Sequence[Any]) -> dict[str, int]:
    failed = sum(isinstance(result, RefusedRequest | RefusedChange) for result in results)
    return {"success": len(results) - failed, "failed": failed}
