"""`stepwell test` as a user runs it: reports, exit codes, virtual time, cases that never end, JUnit."""

import json
import os
import subprocess
import xml.etree.ElementTree as xml

WAIT = {"Type": "Wait", "Seconds": 31_536_000, "Next": "Ask"}
ASK = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 60,
       "Parameters": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q",
                      "MessageBody": {"token.$": "$$.Task.Token"}},
       "End": True}


def run(folder, definition, test, *arguments):
    (folder / "m.asl.json").write_text(json.dumps(definition))
    path = folder / "m.test.json"
    path.write_text(json.dumps({"machine": "m.asl.json", **test}))
    command = [os.environ["STEPWELL_BIN"], "test", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_year_and_an_approval_take_no_time(tmp_path):
    definition = {"StartAt": "Wait", "States": {"Wait": WAIT, "Ask": ASK}}
    expect = {"output": {"approved": True}, "path": ["Wait", "Ask"], "minSeconds": 31_536_000, "maxSeconds": 31_536_010}
    cases = [
        {"name": "approved", "mocks": {"Ask": {"Return": {"approved": True}}}, "expect": expect},
        {"name": "refused", "mocks": {"Ask": {"Throw": {"Error": "No", "Cause": "too dear"}}},
         "expect": {"error": "No", "cause": "too dear"}},
        {"name": "wrong", "mocks": {"Ask": {"Return": {"approved": False}}}, "expect": expect},
    ]
    junit = tmp_path / "report.xml"
    ran = run(tmp_path, definition, {"cases": cases}, "--junit", str(junit))
    assert ran.returncode == 1, ran
    assert "2 passed, 1 failed" in ran.stdout and "output.approved: expected true, got false" in ran.stdout
    suite = xml.parse(junit).getroot()[0]
    assert [case.get("name") for case in suite] == ["approved", "refused", "wrong"]
    assert [len(case) for case in suite] == [0, 0, 1]
    assert "expected true, got false" in suite[2][0].get("message")

    filtered = run(tmp_path, definition, {"cases": cases}, "--filter", "approved", "--json")
    assert filtered.returncode == 0 and json.loads(filtered.stdout)["passed"] == 1, filtered


def test_an_express_machine_runs_as_one(tmp_path):
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 7, "End": True}}}
    test = {"type": "EXPRESS", "cases": [{"name": "seven", "expect": {"output": 7}}]}
    ran = run(tmp_path, definition, test)
    assert ran.returncode == 0, ran


def test_a_case_that_never_ends_is_stopped_and_the_next_one_runs(tmp_path):
    activity = "arn:aws:states:us-east-1:123456789012:activity:nobody"
    task = {"Type": "Task", "Resource": activity, "End": True}
    definition = {"StartAt": "Hang", "States": {"Hang": task}}
    cases = [{"name": "hangs"}, {"name": "mocked", "mocks": {"Hang": {"Return": 1}}, "expect": {"output": 1}}]
    ran = run(tmp_path, definition, {"cases": cases}, "--timeout", "2")
    assert ran.returncode == 1 and "1 passed, 1 failed" in ran.stdout, ran


def test_what_is_wrong_with_a_file_is_said_at_once(tmp_path):
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    ran = run(tmp_path, definition, {"cases": [{"name": "a", "expected": {}}]})
    assert ran.returncode == 2 and "unknown field `expected`" in ran.stderr, ran
    ran = run(tmp_path, {"StartAt": "Q", "States": {}}, {"cases": [{"name": "a"}]})
    assert ran.returncode == 2 and "m.asl.json" in ran.stderr and "InvalidDefinition" in ran.stderr, ran
    ran = run(tmp_path, definition, {"modules": {"m": "none.wasm"}, "cases": [{"name": "a"}]})
    assert ran.returncode == 2 and "none.wasm" in ran.stderr, ran
    ran = run(tmp_path, definition, {"cases": [{"name": "a"}]}, "--filter", "b")
    assert ran.returncode == 2 and "--filter" in ran.stderr, ran
