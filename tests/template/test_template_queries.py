"""The saved queries of Logs Insights search what the functions log."""

from tests.template.stack import Stack

NOT_SEARCHED = {"alarm-relay", "provisioning"}
"""They log nothing about a user, a device or a message."""


def test_queries_search_the_logs_of_all_functions_about_messages(
    stack: Stack, nested: dict[str, Stack]
) -> None:
    logs = {
        group["LogGroupName"]["Fn::Sub"].removeprefix("/aws/lambda/${AWS::StackName}-")
        for group in stack.of_type("AWS::Logs::LogGroup").values()
        if "/aws/lambda/" in str(group.get("LogGroupName"))
    }
    queries = nested["operations"].of_type("AWS::Logs::QueryDefinition")

    assert len(queries) == 4
    for query in queries.values():
        names = query["LogGroupNames"]
        assert {name.removeprefix("/aws/lambda/Stack-") for name in names} == logs - NOT_SEARCHED
