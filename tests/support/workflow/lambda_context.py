"""What Lambda hands to a handler beside its event."""

from __future__ import annotations

from typing import cast

from aws_lambda_powertools.utilities.typing import LambdaContext

from local.aws.lambda_worker import Context


def lambda_context() -> LambdaContext:
    """A context of an invocation that nobody asks much about."""
    made = Context(
        aws_request_id="1",
        function_name="function",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
        log_group_name="log",
        log_stream_name="stream",
        deadline=0,
    )
    return cast("LambdaContext", made)
