"""Writes the tables of response shapes beside this file, one for each service, out of botocore's models.

    pip install botocore && python generate.py

A table holds facts only: names of members, their types, what is required, bounds and enumerations. They are written
as Step Functions shows them: names of members begin with a capital. The form is read by `../shapes.rs`:

    {"operations": {"GetFunction": SHAPE}, "shapes": {NAME: DEFINITION}}
    SHAPE       the name of a definition, or $T text, $N number, $B boolean, $A anything
    DEFINITION  ["S", {MEMBER: SHAPE}, [required MEMBER]]  structure
                ["L", SHAPE]                               list
                ["M", SHAPE]                               map, by the shape of its values
                ["T", {"min", "max", "enum"}]              text
                ["N", {"min", "max"}]                      number
"""

from __future__ import annotations

import json
from pathlib import Path

import botocore.session

# The name in `arn:aws:states:::aws-sdk:NAME:action`, the model, and the operations where not all of them are kept.
SERVICES = {
    "apigateway": ("apigateway", None),
    "athena": ("athena", None),
    "batch": ("batch", None),
    "bedrock": ("bedrock", ["CreateModelCustomizationJob", "GetModelCustomizationJob"]),
    "bedrockruntime": ("bedrock-runtime", None),
    "cloudwatch": ("cloudwatch", ["GetMetricData", "GetMetricStatistics", "PutMetricData"]),
    "cloudwatchlogs": (
        "logs",
        ["CreateLogGroup", "CreateLogStream", "FilterLogEvents", "GetLogEvents", "GetQueryResults", "PutLogEvents",
         "StartQuery"],
    ),
    "codebuild": ("codebuild", None),
    "databrew": ("databrew", None),
    "dynamodb": ("dynamodb", None),
    "ecs": ("ecs", None),
    "eks": ("eks", None),
    "emr": ("emr", None),
    "emrcontainers": ("emr-containers", None),
    "emrserverless": ("emr-serverless", None),
    "eventbridge": ("events", None),
    "glue": (
        "glue",
        ["GetCrawler", "GetJob", "GetJobRun", "GetJobRuns", "GetPartitions", "GetTable", "StartCrawler", "StartJobRun"],
    ),
    "kms": ("kms", None),
    "lambda": ("lambda", None),
    "mediaconvert": ("mediaconvert", ["CreateJob", "GetJob"]),
    "s3": ("s3", None),
    "sagemaker": (
        "sagemaker",
        ["CreateEndpoint", "CreateEndpointConfig", "CreateHyperParameterTuningJob", "CreateLabelingJob", "CreateModel",
         "CreateProcessingJob", "CreateTrainingJob", "CreateTransformJob", "UpdateEndpoint"],
    ),
    "secretsmanager": ("secretsmanager", None),
    "sfn": ("stepfunctions", None),
    "sns": ("sns", None),
    "sqs": ("sqs", None),
    "ssm": (
        "ssm",
        ["GetAutomationExecution", "GetCommandInvocation", "GetParameter", "GetParameters", "GetParametersByPath",
         "PutParameter", "SendCommand", "StartAutomationExecution"],
    ),
    "sts": ("sts", None),
}

# Bounds that Step Functions was recorded to check and newer models have changed: a function has at most 10,240 MB
# (Lambda quota; more only on instances of one's own).
BOUNDS = {("lambda", "MemorySize"): {"min": 128, "max": 10_240}}

PLAIN = {
    "string": "$T", "character": "$T", "timestamp": "$T", "blob": "$T", "boolean": "$B",
    "integer": "$N", "long": "$N", "float": "$N", "double": "$N",
}  # fmt: skip


def capital(name):
    return name[:1].upper() + name[1:]


def definition(shape, service, shapes):
    """The name under which a shape is found, once it and all that it refers to are in `shapes`."""
    if getattr(shape, "is_document_type", False):
        return "$A"
    kind = shape.type_name
    plain = PLAIN.get(kind)
    if plain:
        kept = ("min",) if kind == "blob" else ("min", "max", "enum")
        facts = {key: shape.metadata[key] for key in kept if key in shape.metadata}
        facts = BOUNDS.get((service, shape.name), facts)
        # Only what refuses something is a bound.
        facts = {key: value for key, value in facts.items() if (key, value) != ("min", 0) or plain == "$N"}
        if not facts or plain == "$B":
            return plain
        shapes[shape.name] = [plain[1], facts]
        return shape.name
    if shape.name in shapes:
        return shape.name
    shapes[shape.name] = None
    if kind == "structure":
        members = {capital(name): definition(member, service, shapes) for name, member in shape.members.items()}
        shapes[shape.name] = ["S", members, [capital(name) for name in shape.required_members]]
    elif kind == "list":
        shapes[shape.name] = ["L", definition(shape.member, service, shapes)]
    elif kind == "map":
        shapes[shape.name] = ["M", definition(shape.value, service, shapes)]
    else:
        raise ValueError(f"{service}: {shape.name} is a {kind}")
    return shape.name


def main():
    session = botocore.session.get_session()
    for service, (name, kept) in SERVICES.items():
        model = session.get_service_model(name)
        operations, shapes = {}, {}
        for operation in kept or model.operation_names:
            output = model.operation_model(operation).output_shape
            if output is not None:
                operations[operation] = definition(output, service, shapes)
        table = {"operations": operations, "shapes": dict(sorted(shapes.items()))}
        path = Path(__file__).with_name(f"{service}.json")
        path.write_text(json.dumps(table, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
