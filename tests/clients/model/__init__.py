"""The published model of Step Functions, as botocore has it, turned into requests and checks of answers."""
