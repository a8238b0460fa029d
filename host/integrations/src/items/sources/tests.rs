//! ItemReader over a directory: what is pinned is what is read, from any item on.

use super::*;
use crate::objects::{Attributes, Directory};
use bytes::Bytes;
use serde_json::json;
use std::io::Write as _;

const ACCOUNT: &str = "123456789012";

struct Place {
    root: tempfile::TempDir,
    store: Arc<Directory>,
}

impl Place {
    async fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        let store = Arc::new(Directory::open(&root.path().join("objects")).unwrap());
        store.create_bucket(ACCOUNT, "bucket").await.unwrap();
        Place { root, store }
    }

    async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let mut upload = self.store.put(&at(key), Attributes::default()).await.unwrap();
        upload.write(Bytes::from(bytes.into())).await.unwrap();
        upload.finish().await.unwrap();
    }

    fn items(&self) -> S3Items {
        S3Items::new(self.store.clone(), self.root.path().join("listings"))
    }

    async fn read(&self, request: &ReadRequest, most: usize) -> Result<Vec<Item>, SourceError> {
        let pin = self.items().pin(request).await?;
        self.read_pinned(request, &pin, 0, most).await
    }

    async fn read_pinned(
        &self,
        request: &ReadRequest,
        pin: &Value,
        from: u64,
        most: usize,
    ) -> Result<Vec<Item>, SourceError> {
        assert!(pin.to_string().len() <= stepwell_executor::limits::PIN_BYTES);
        let mut source = self.items().open(request, pin, from).await?;
        let mut items = Vec::new();
        loop {
            let read = source.next(most).await?;
            assert!(read.items.len() <= most && (read.is_last || !read.items.is_empty()));
            items.extend(read.items);
            if read.is_last {
                return Ok(items);
            }
        }
    }
}

fn at(key: &str) -> Address {
    Address { account: ACCOUNT.to_owned(), bucket: "bucket".to_owned(), key: key.to_owned() }
}

fn request(action: &str, arguments: Value, configuration: Value) -> ReadRequest {
    ReadRequest {
        execution_arn: format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:m:e"),
        resource: format!("arn:aws:states:::s3:{action}"),
        arguments,
        configuration,
    }
}

fn object(key: &str, configuration: Value) -> ReadRequest {
    request("getObject", json!({"Bucket": "bucket", "Key": key}), configuration)
}

fn values(items: Vec<Item>) -> Vec<Value> {
    items.into_iter().map(|item| item.value).collect()
}

fn cause<T: std::fmt::Debug>(result: Result<T, SourceError>) -> String {
    match result.unwrap_err() {
        SourceError::Failed(error) if error.is("States.ItemReaderFailed") => error.cause.unwrap(),
        other @ (SourceError::Failed(_) | SourceError::Unavailable(_)) => panic!("{other:?}"),
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn reading_goes_on_from_any_item_of_what_was_pinned() {
    let place = Place::new().await;
    let rows = (0..10).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    place.put("x.csv.gz", gzip(&format!("n\n{rows}"))).await;
    let request = object("x.csv.gz", json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}));
    let pin = place.items().pin(&request).await.unwrap();
    for from in 0..12 {
        for most in [1, 3, 100] {
            let found = values(place.read_pinned(&request, &pin, from, most).await.unwrap());
            let expected: Vec<Value> = (from..10).map(|number| json!({"n": number.to_string()})).collect();
            assert_eq!(found, expected);
        }
    }
    assert_eq!(place.items().open(&request, &pin, 0).await.unwrap().name(), "S3://bucket/x.csv.gz");
    place.put("x.csv.gz", gzip("n\n1\n")).await;
    let changed = cause(place.items().open(&request, &pin, 0).await.map(|source| source.name()));
    assert_eq!(changed, "The object S3://bucket/x.csv.gz has changed since the Map run began to read it.");
}

#[tokio::test]
async fn a_listing_stays_as_it_was() {
    let place = Place::new().await;
    for (count, is_kept_apart) in [(5, false), (2_100, true)] {
        for number in 0..count {
            std::fs::create_dir_all(place.root.path().join(format!("objects/{ACCOUNT}/bucket/in"))).unwrap();
            std::fs::write(place.root.path().join(format!("objects/{ACCOUNT}/bucket/in/{number:05}")), "x")
                .unwrap();
        }
        let request = request("listObjectsV2", json!({"Bucket": "bucket", "Prefix": "in/"}), Value::Null);
        let pin = place.items().pin(&request).await.unwrap();
        assert_eq!(pin.pointer("/listing/file").is_some(), is_kept_apart);
        place.store.delete(&at("in/00000")).await.unwrap();
        place.put("in/00000a", "x").await;
        let found = place.read_pinned(&request, &pin, 0, 1_000).await.unwrap();
        assert_eq!(found.len(), count);
        assert_eq!((&found[0].value["Key"], &found[0].value["Size"]), (&json!("in/00000"), &json!(1)));
        let members: Vec<&String> = found[0].value.as_object().unwrap().keys().collect();
        assert_eq!(members, ["Etag", "Key", "LastModified", "Size", "StorageClass"]);
        assert!(found.is_sorted_by_key(|item| item.value["Key"].as_str().unwrap().to_owned()));
        let rest = place.read_pinned(&request, &pin, 3, 2).await.unwrap();
        assert_eq!(rest, found[3..]);
        place.store.delete(&at("in/00000a")).await.unwrap();
    }
}

#[tokio::test]
async fn files_of_a_listing_can_be_flattened() {
    let place = Place::new().await;
    for (key, text) in [("in/a.jsonl", "1\n2\n"), ("in/b.jsonl", ""), ("in/c/d.jsonl", "3\n")] {
        place.put(key, text).await;
    }
    let configuration = json!({"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"});
    let request = request("listObjectsV2", json!({"Bucket": "bucket", "Prefix": "in/"}), configuration);
    for most in 1..4 {
        assert_eq!(values(place.read(&request, most).await.unwrap()), [json!(1), json!(2), json!(3)]);
    }
    let pin = place.items().pin(&request).await.unwrap();
    assert_eq!(values(place.read_pinned(&request, &pin, 2, 9).await.unwrap()), [json!(3)]);
    place.store.delete(&at("in/c/d.jsonl")).await.unwrap();
    let gone = cause(place.read_pinned(&request, &pin, 0, 9).await);
    assert!(
        gone.starts_with("The specified key does not exist.") && gone.ends_with("[S3://bucket/in/c/d.jsonl]"),
        "{gone}"
    );
}

#[tokio::test]
async fn manifests_lead_to_their_files() {
    let place = Place::new().await;
    place.put("inv/data/1.csv.gz", gzip("\"bucket\",\"a b\",\"1\"\n")).await;
    place.put("inv/data/2.csv.gz", gzip("\"bucket\",\"c\",\"2\"\n")).await;
    let inventory = json!({
        "sourceBucket": "bucket", "destinationBucket": "arn:aws:s3:::bucket", "version": "2016-11-30",
        "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inv/data/1.csv.gz", "size": 1}, {"key": "inv/data/2.csv.gz", "size": 1}],
    });
    place.put("inv/manifest.json", inventory.to_string()).await;
    let expected = [
        json!({"Bucket": "bucket", "Key": "a b", "Size": "1"}),
        json!({"Bucket": "bucket", "Key": "c", "Size": "2"}),
    ];
    for configuration in [json!({"InputType": "MANIFEST"}), json!({"ManifestType": "S3_INVENTORY"})] {
        let request = object("inv/manifest.json", configuration);
        assert_eq!(values(place.read(&request, 9).await.unwrap()), expected);
    }
    place.put("athena/1.gz", gzip("{\"a\":1}\n")).await;
    place.put("athena/2", "{\"a\":2}\n").await;
    place.put("athena/manifest.csv", "s3://bucket/athena/1.gz\ns3://bucket/athena/2\n").await;
    let athena = object("athena/manifest.csv", json!({"ManifestType": "ATHENA_DATA", "InputType": "JSONL"}));
    assert_eq!(values(place.read(&athena, 1).await.unwrap()), [json!({"a": 1}), json!({"a": 2})]);
    place.put("athena/manifest.csv", "nothing\n").await;
    assert_eq!(
        cause(place.read(&athena, 1).await),
        "The manifest names 'nothing', which is no s3:// address."
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let place = Place::new().await;
    let missing = cause(place.read(&object("none", json!({"InputType": "CSV"})), 1).await);
    assert!(
        missing.starts_with("The specified key does not exist. (Service: S3, Status Code: 404, "),
        "{missing}"
    );
    let request_of = |arguments: Value| request("getObject", arguments, json!({"InputType": "CSV"}));
    for (arguments, start) in [
        (json!({"Bucket": "nowhere", "Key": "k"}), "The specified bucket does not exist"),
        (json!({"Bucket": "bucket"}), "The field 'Key' of ItemReader is required"),
        (json!({"Bucket": "bucket", "Key": "k", "VersionId": "1"}), "VersionId is not supported"),
        (json!({"Bucket": "bucket", "Key": "k", "ExpectedBucketOwner": "1"}), "Access Denied"),
    ] {
        let told = cause(place.read(&request_of(arguments), 1).await);
        assert!(told.starts_with(start), "{told}");
    }
    place.put("x.parquet", "PAR1 and nothing else that counts PAR1").await;
    let wrong = cause(place.read(&object("x.parquet", json!({"InputType": "PARQUET"})), 1).await);
    assert!(wrong.starts_with("The Parquet file cannot be read"), "{wrong}");
}

#[tokio::test]
async fn rows_of_parquet_are_objects() {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    let schema = "message m { required int64 n; optional binary t (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for group in 0..2 {
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[group * 2, group * 2 + 1], None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let text = [ByteArray::from("é")];
        column.typed::<ByteArrayType>().write_batch(&text, Some(&[1, 0]), None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
    }
    let place = Place::new().await;
    place.put("x.parquet", writer.into_inner().unwrap()).await;
    let request = object("x.parquet", json!({"InputType": "PARQUET"}));
    let expected = [
        json!({"n": 0, "t": "é"}),
        json!({"n": 1, "t": null}),
        json!({"n": 2, "t": "é"}),
        json!({"n": 3, "t": null}),
    ];
    let pin = place.items().pin(&request).await.unwrap();
    for from in 0..5 {
        let found = values(place.read_pinned(&request, &pin, from, 3).await.unwrap());
        assert_eq!(found, expected[usize::try_from(from).unwrap()..]);
    }
}
