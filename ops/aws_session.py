"""The AWS session of the operator's environment."""

from __future__ import annotations

import os
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

AWS_ERRORS: Final = (BotoCoreError, ClientError, ResponseParserError, ValueError)
"""What botocore raises if AWS cannot be asked, or refuses.

A `ResponseParserError` comes from a proxy that answers with a page, a `ValueError` from an endpoint
in the environment that is no URL.
"""


def aws_session() -> Session:
    """Return a session whose region may be in AWS_REGION, as for the AWS CLI."""
    session = Session()
    if region := os.environ.get("AWS_REGION"):  # botocore reads AWS_DEFAULT_REGION only
        session.set_config_variable("region", region)
    return session
