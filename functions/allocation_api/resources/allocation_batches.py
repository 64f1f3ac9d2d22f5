"""Batches of allocations: one transaction, in which each item succeeds or fails on its own."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, field_validator

from allocation_api.access import Access, Router
from allocation_api.caller import Caller
from allocation_api.errors import ApiError, forbidden, not_found, to_api_error
from allocation_api.fields import IdempotencyKeyText, Problem, RequestBody, ResponseBody
from allocation_api.limits import CreationLimits, RequestLimits
from allocation_api.openapi.responses import body_of, may_not_create
from allocation_api.resources.allocations import (
    AllocationResponse,
    DeviceRequest,
    Extension,
    to_request,
    to_response,
)
from scheduler.allocation.allocate import Allocator
from scheduler.allocation.leases import Leases
from scheduler.database import allocations
from scheduler.database.allocations import AllocationRecord
from scheduler.database.connection import Database
from scheduler.messaging.contract import ResourceId

MAX_BATCH_ITEMS: Final = 100
MAX_SIZES: Final = 10
"""Different minimums of cores and memory in a batch."""

AllocationIds = Annotated[list[ResourceId], Field(min_length=1, max_length=MAX_BATCH_ITEMS)]


class BatchRequest(DeviceRequest):
    """A request of a batch; with an idempotency key it can be repeated safely."""

    idempotency_key: IdempotencyKeyText | None = None


class NewAllocations(RequestBody):
    """Requests for one device each, processed in this order."""

    requests: Annotated[list[BatchRequest], Field(min_length=1, max_length=MAX_BATCH_ITEMS)]
    """Of at most ten different sizes."""

    @field_validator("requests")
    @classmethod
    def _few_sizes(cls, requests: list[BatchRequest]) -> list[BatchRequest]:
        # Each size is searched for in the pool separately.
        sizes = {(one.min_cpu_cores, one.min_memory_mb) for one in requests}
        if len(sizes) > MAX_SIZES:
            raise ValueError(f"ask for at most {MAX_SIZES} different sizes, not {len(sizes)}")
        return requests


class Releases(RequestBody):
    """Allocations to release; one that is named twice is released once."""

    allocation_ids: AllocationIds


class Extensions(Extension):
    """Allocations to extend; one that is named twice is extended once."""

    allocation_ids: AllocationIds


class RefusedRequest(ResponseBody):
    """A request for which no device was allocated."""

    user_id: str
    error: Problem


class RefusedChange(ResponseBody):
    """An allocation that was not changed, or does not exist."""

    id: str
    error: Problem


class _Batch(ResponseBody):
    success: int
    failed: int


class AllocatedBatch(_Batch):
    """The result of each request, in the same order."""

    results: list[AllocationResponse | RefusedRequest]


class ChangedBatch(_Batch):
    """The result for each allocation, in the same order."""

    results: list[AllocationResponse | RefusedChange]


_Change: TypeAlias = Callable[[list[AllocationRecord]], Sequence[AllocationRecord | Exception]]


def allocation_batch_routes(
    database: Database,
    allocator: Allocator,
    leases: Leases,
    limits: RequestLimits,
    creations: CreationLimits,
    default_minutes: int,
) -> Router:
    """Return the routes that allocate, release and extend."""
    router = Router()

    @router.post(
        "/api/allocations/batch",
        operation_id="allocateBatch",
        summary="Allocate up to 100 devices; each request succeeds or fails on its own",
        responses={200: body_of(AllocatedBatch), **may_not_create()},
    )
    @router.allow(Access.EACH)
    def allocate(body: NewAllocations) -> AllocatedBatch:
        caller = router.caller
        own = [item for item in body.requests if caller.may_act_for(item.user_id)]
        if own:
            creations.require(caller)
            sizes = {(item.min_cpu_cores, item.min_memory_mb) for item in own}
            limits.add(caller, len(sizes) - 1)
        requests = [to_request(item, item.idempotency_key, default_minutes) for item in own]
        outcomes = iter(allocator.allocate_all(requests, caller.actor) if requests else ())
        results: list[AllocationResponse | RefusedRequest] = []
        for item in body.requests:
            outcome = next(outcomes) if caller.may_act_for(item.user_id) else forbidden()
            if isinstance(outcome, Exception):
                results.append(RefusedRequest(user_id=item.user_id, error=_problem(outcome)))
            else:
                results.append(to_response(outcome, router.language))
        counts = _counts(results)
        creations.count(caller, counts["success"])
        return AllocatedBatch(**counts, results=results)

    @router.post(
        "/api/allocations/batch/release",
        operation_id="releaseBatch",
        summary="Release up to 100 devices; each succeeds or fails on its own",
    )
    @router.allow(Access.EACH)
    def release(body: Releases) -> ChangedBatch:
        actor = router.caller.actor
        return _change(body.allocation_ids, lambda own: leases.release(own, actor))

    @router.post(
        "/api/allocations/batch/extend",
        operation_id="extendBatch",
        summary="Extend up to 100 allocations; each succeeds or fails on its own",
        responses={200: body_of(ChangedBatch), **may_not_create()},
    )
    @router.allow(Access.EACH)
    def extend(body: Extensions) -> ChangedBatch:
        actor, minutes = router.caller.actor, body.additional_minutes
        creations.require(router.caller)
        extended = _change(body.allocation_ids, lambda own: leases.extend(own, minutes, actor))
        creations.count(router.caller, extended.success)
        return extended

    def _change(ids: Sequence[str], change: _Change) -> ChangedBatch:
        with database.transaction() as sql:
            found = allocations.by_id(sql, ids)
        refused = {id_: error for id_ in ids if (error := _refusal(router.caller, found.get(id_)))}
        own = [found[id_] for id_ in dict.fromkeys(ids) if id_ not in refused]
        outcomes = dict(zip((one.id for one in own), change(own), strict=True))
        results: list[AllocationResponse | RefusedChange] = []
        for id_ in ids:
            outcome = refused.get(id_) or outcomes[id_]
            if isinstance(outcome, Exception):
                results.append(RefusedChange(id=id_, error=_problem(outcome)))
            else:
                results.append(to_response(outcome, router.language))
        return ChangedBatch(**_counts(results), results=results)

    return router


def _refusal(caller: Caller, found: AllocationRecord | None) -> ApiError | None:
    if found is None:
        return not_found("allocation")
    return None if caller.may_act_for(found.user_id) else forbidden()


def _problem(error: Exception) -> Problem:
    return Problem(**to_api_error(error).body["error"])


def _counts(results: Sequence[Any]) -> dict[str, int]:
    failed = sum(isinstance(result, RefusedRequest | RefusedChange) for result in results)
    return {"success": len(results) - failed, "failed": failed}
