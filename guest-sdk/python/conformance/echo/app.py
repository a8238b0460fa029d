"""Answers with everything that a task gets: its input, its context and whether time is left."""

from stepwell import context, log, remaining_seconds, task


@task
def echo(input):
    log.info("echo in python")
    call = context()
    return {
        "input": input,
        "context": {
            "executionArn": call.execution_arn,
            "stateName": call.state_name,
            "attempt": call.attempt,
            "idempotencyKey": call.idempotency_key,
            "taskToken": call.task_token,
        },
        "timeLeft": remaining_seconds() > 0,
    }
