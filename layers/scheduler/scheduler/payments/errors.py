"""What can go wrong with counting, without the weight of boto3."""


class CountRefusedError(Exception):
    """This one failure could not be counted; others are not concerned."""


class PaymentsUnavailableError(Exception):
    """DynamoDB is away, throttles or denies access: nobody's message is at fault."""
