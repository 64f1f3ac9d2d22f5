"""moto's server, with atomic writes to DynamoDB, and closed to other websites.

moto checks a condition and writes in two steps, between which other threads may write. For a
transaction it copies each table once per action, which takes minutes for some ten thousand items,
and to cancel one it restores the copies and so overwrites what others have written meanwhile.
"""

from __future__ import annotations

import copy
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import moto.server
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
)
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from werkzeug import Response

from local.sam.network import ALIAS
from ops.own_requests import HOST_NAMES, is_own_request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_MAX_ACTIONS: Final = 100


class AtomicBackend(DynamoDBBackend):
    """DynamoDB of one account and region; it executes write requests one at a time."""

    __module__ = DynamoDBBackend.__module__  # moto searches its URLs beside this module

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._writing = RLock()

    def put_item(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401, D102 - moto's own
        with self._writing:
            return super().put_item(*args, **options)

    def update_item(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401, D102 - moto's own
        with self._writing:  # the copy is what this request answers; the next one changes the item
            return copy.deepcopy(super().update_item(*args, **options))

    def delete_item(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401, D102 - moto's own
        with self._writing:
            return super().delete_item(*args, **options)

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """Check all conditions, then write; there is no need to undo and hence to copy anything."""
        actions = [next(iter(item.items())) for item in transact_items]
        if len(actions) > _MAX_ACTIONS:
            raise TooManyTransactionsException
        items = {(op["TableName"], str(self._key(kind, op))) for kind, op in actions}
        if len(items) < len(actions):
            raise MultipleTransactionsException
        with self._writing:
            reasons = [self._refusal(kind, op) for kind, op in actions]
            if any(code for code, _, _ in reasons):
                raise TransactionCanceledException(reasons)
            for kind, op in actions:
                self._apply(kind, op)

    def _refusal(self, kind: str, op: dict[str, Any]) -> tuple[str | None, str | None, None]:
        item = self.get_item(op["TableName"], self._key(kind, op))
        condition = get_filter_expression(
            op.get("ConditionExpression"),
            op.get("ExpressionAttributeNames"),
            op.get("ExpressionAttributeValues"),
        )
        if condition.expr(item):
            return None, None, None
        return "ConditionalCheckFailed", "The conditional request failed", None

    def _apply(self, kind: str, op: dict[str, Any]) -> None:
        table = op["TableName"]
        match kind:
            case "Put":
                self.put_item(table, op["Item"])
            case "Delete":
                self.delete_item(table, op["Key"])
            case "Update":
                self.update_item(
                    table,
                    op["Key"],
                    op["UpdateExpression"],
                    op.get("ExpressionAttributeNames"),
                    op.get("ExpressionAttributeValues"),
                )

    def _key(self, kind: str, op: dict[str, Any]) -> dict[str, Any]:
        if kind != "Put":
            return dict(op["Key"])
        table = self.get_table(op["TableName"])
        names = filter(None, (table.hash_key_attr, table.range_key_attr))
        return {name: op["Item"][name] for name in names}


class OwnRequestsOnly(DomainDispatcherApplication):
    """Answers 403 to requests that another website makes in the developer's browser.

    moto allows every origin to read its answers, among them e-mails and WebSocket tickets. AWS
    clients send no Origin; the functions in Docker address this machine by its alias.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, or answer 403."""
        host, origin, site = map(environ.get, ("HTTP_HOST", "HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"))
        if is_own_request(host or "", origin, site, HOST_NAMES | {ALIAS}):
            answer: Iterable[bytes] = super().__call__(environ, start_response)
            return answer
        text = "only programs on this machine may call this"
        return Response(text, 403)(environ, start_response)


if __name__ == "__main__":
    dynamodb_backends.backend = AtomicBackend
    moto.server.DomainDispatcherApplication = OwnRequestsOnly  # type: ignore[attr-defined]  # main takes it from there
    moto.server.main()
