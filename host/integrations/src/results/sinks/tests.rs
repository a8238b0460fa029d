//! Results as files: their names, their content, and what writing them twice leaves.

use super::*;
use crate::objects::Directory;
use stepwell_asl::Timestamp;

const ACCOUNT: &str = "123456789012";

fn record(kind: ResultKind, number: usize, output: &str) -> ResultRecord {
    let is_success = kind == ResultKind::Succeeded;
    ResultRecord {
        kind,
        execution_arn: format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:m/L:{number}"),
        name: number.to_string(),
        state_machine_arn: format!("arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m/L"),
        status: if is_success { "SUCCEEDED" } else { "FAILED" }.to_owned(),
        input: "{\"a\":1}".to_owned(),
        output: is_success.then(|| output.to_owned()),
        error: (!is_success).then(|| "E".to_owned()),
        cause: (!is_success).then(|| "C".to_owned()),
        started_at: Some(Timestamp(0)),
        stopped_at: Some(Timestamp(1)),
        redrive_count: 0,
        redrive_status: Some(("REDRIVABLE".to_owned(), None)),
    }
}

struct Place {
    _root: tempfile::TempDir,
    store: Arc<Directory>,
}

impl Place {
    async fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        let store = Arc::new(Directory::open(root.path()).unwrap());
        store.create_bucket(ACCOUNT, "results").await.unwrap();
        Place { _root: root, store }
    }

    async fn write(&self, configuration: Value, file_bytes: usize, records: Vec<ResultRecord>) -> Written {
        let sinks = S3Results { store: self.store.clone(), file_bytes };
        let mut sink = sinks.open(&request("results", configuration)).await.unwrap();
        sink.write(records).await.unwrap();
        sink.finish().await.unwrap()
    }

    async fn text(&self, key: &str) -> Result<String, ObjectError> {
        let address =
            Address { account: ACCOUNT.into(), bucket: "results".into(), key: format!("jobs/run-1/{key}") };
        let object = self.store.get(&address, None).await?;
        Ok(String::from_utf8(object.body.read_all(10_000).await?).unwrap())
    }

    async fn json(&self, key: &str) -> Value {
        serde_json::from_str(&self.text(key).await.unwrap()).unwrap()
    }
}

fn request(bucket: &str, configuration: Value) -> WriteRequest {
    WriteRequest {
        execution_arn: format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:m:e"),
        map_run_arn: format!("arn:aws:states:us-east-1:{ACCOUNT}:mapRun:m/L:run-1"),
        resource: "arn:aws:states:::s3:putObject".to_owned(),
        arguments: json!({"Bucket": bucket, "Prefix": "jobs/"}),
        configuration,
    }
}

#[tokio::test]
async fn a_manifest_names_files_with_everything_that_is_known() {
    let place = Place::new().await;
    let records = vec![record(ResultKind::Succeeded, 0, "[1]"), record(ResultKind::Failed, 1, "")];
    let written = place.write(Value::Null, FILE_BYTES, records).await;
    assert_eq!(written.details, json!({"Bucket": "results", "Key": "jobs/run-1/manifest.json"}));
    let succeeded = place.text("SUCCEEDED_0.json").await.unwrap();
    let failed = place.text("FAILED_0.json").await.unwrap();
    let manifest = json!({
        "DestinationBucket": "results",
        "MapRunArn": "arn:aws:states:us-east-1:123456789012:mapRun:m/L:run-1",
        "ResultFiles": {
            "FAILED": [{"Key": "jobs/run-1/FAILED_0.json", "Size": failed.len()}],
            "PENDING": [],
            "SUCCEEDED": [{"Key": "jobs/run-1/SUCCEEDED_0.json", "Size": succeeded.len()}],
        },
    });
    assert_eq!(place.json("manifest.json").await, manifest);
    let expected = json!([{
        "ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:m/L:0",
        "Input": "{\"a\":1}", "InputDetails": {"Included": true}, "Name": "0",
        "Output": "[1]", "OutputDetails": {"Included": true}, "RedriveCount": 0, "RedriveStatus": "REDRIVABLE",
        "StartDate": "1970-01-01T00:00:00.000Z",
        "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m/L",
        "Status": "SUCCEEDED", "StopDate": "1970-01-01T00:00:00.001Z",
    }]);
    assert_eq!(succeeded, expected.to_string());
    let failed = place.json("FAILED_0.json").await;
    assert_eq!(
        (&failed[0]["Error"], &failed[0]["Cause"], failed[0].get("Output")),
        (&json!("E"), &json!("C"), None)
    );
}

#[tokio::test]
async fn outputs_can_be_all_that_is_written() {
    let place = Place::new().await;
    let records = || {
        let outputs = ["[1, 2]", "{\"a\":3}", "[]"].into_iter().enumerate();
        let mut records: Vec<_> =
            outputs.map(|(number, output)| record(ResultKind::Succeeded, number, output)).collect();
        records.push(record(ResultKind::Failed, 9, ""));
        records
    };
    for (transformation, output_type, file, expected) in [
        ("COMPACT", "JSON", "SUCCEEDED_0.json", "[[1, 2],{\"a\":3},[]]"),
        ("FLATTEN", "JSON", "SUCCEEDED_0.json", "[1,2,{\"a\":3}]"),
        ("COMPACT", "JSONL", "SUCCEEDED_0.jsonl", "[1, 2]\n{\"a\":3}\n[]\n"),
        ("FLATTEN", "JSONL", "SUCCEEDED_0.jsonl", "1\n2\n{\"a\":3}\n"),
    ] {
        let configuration = json!({"Transformation": transformation, "OutputType": output_type});
        place.write(configuration, FILE_BYTES, records()).await;
        assert_eq!(place.text(file).await.unwrap(), expected, "{transformation} {output_type}");
        let failed = place.text(&file.replace("SUCCEEDED", "FAILED")).await.unwrap();
        assert!(failed.contains("\"Status\":\"FAILED\""), "{failed}");
    }
}

#[tokio::test]
async fn what_is_written_again_replaces_what_was_there() {
    let place = Place::new().await;
    let compact = json!({"Transformation": "COMPACT"});
    let outputs =
        |count: usize| (0..count).map(|number| record(ResultKind::Succeeded, number, "12345")).collect();
    let mut first: Vec<ResultRecord> = outputs(5);
    first.push(record(ResultKind::Failed, 9, ""));
    place.write(compact.clone(), 10, first).await;
    for (file, text) in [("SUCCEEDED_0.json", "[12345,12345]"), ("SUCCEEDED_2.json", "[12345]")] {
        assert_eq!(place.text(file).await.unwrap(), text);
    }
    // A run that was begun and given up leaves all as it was.
    let sinks = S3Results { store: place.store.clone(), file_bytes: 10 };
    let mut sink = sinks.open(&request("results", compact.clone())).await.unwrap();
    sink.write(outputs(1)).await.unwrap();
    drop(sink);
    assert_eq!(place.text("SUCCEEDED_0.json").await.unwrap(), "[12345,12345]");
    place.write(compact, 10, outputs(3)).await;
    let manifest = place.json("manifest.json").await;
    assert_eq!(manifest["ResultFiles"]["SUCCEEDED"].as_array().unwrap().len(), 2);
    assert_eq!(manifest["ResultFiles"]["FAILED"], json!([]));
    for gone in ["SUCCEEDED_2.json", "FAILED_0.json"] {
        assert_eq!(place.text(gone).await, Err(ObjectError::NoSuchKey), "{gone}");
    }
    let error = sinks.open(&request("nowhere", Value::Null)).await.err().unwrap();
    assert!(matches!(error, SourceError::Failed(error) if error.is("States.ResultWriterFailed")));
}
