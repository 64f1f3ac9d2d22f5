"""The AWS session of the operator's environment."""

from __future__ import annotations

import os

from botocore.session import Session


def aws_session() -> Session:
    """Return a session whose region may be in AWS_REGION, as for the AWS CLI."""
    session = Session()
    if region := os.environ.get("AWS_REGION"):  # botocore reads AWS_DEFAULT_REGION only
        session.set_config_variable("region", region)
    return session
