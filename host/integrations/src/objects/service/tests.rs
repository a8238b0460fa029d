//! The operations of S3 over a directory, in the shapes that tasks see.

use super::*;
use crate::objects::Directory;

async fn call(s3: &S3, operation: &str, input: Value) -> Result<Value, ServiceError> {
    let call = ServiceCall {
        operation: operation.to_owned(),
        input,
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        task: None,
    };
    s3.call(call).await
}

async fn s3() -> (tempfile::TempDir, S3) {
    let root = tempfile::tempdir().unwrap();
    let s3 = S3::new(Arc::new(Directory::open(root.path()).unwrap()));
    call(&s3, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
    (root, s3)
}

#[tokio::test]
async fn an_object_is_got_as_it_was_put() {
    let (_root, s3) = s3().await;
    let input = json!({"Bucket": "bucket", "Key": "a b", "Body": {"x": 1}, "Metadata": {"m": "n"}});
    let put = call(&s3, "PutObject", input).await.unwrap();
    let input = json!({"Bucket": "bucket", "Key": "c", "CopySource": "bucket/a%20b"});
    let copied = call(&s3, "CopyObject", input).await.unwrap();
    assert_eq!(copied["CopyObjectResult"]["ETag"], put["ETag"]);
    for key in ["a b", "c"] {
        let got = call(&s3, "GetObject", json!({"Bucket": "bucket", "Key": key})).await.unwrap();
        assert_eq!(got["Body"], "{\"x\":1}");
        assert_eq!((&got["ContentLength"], &got["Metadata"]), (&json!(7), &json!({"m": "n"})));
        let head = call(&s3, "HeadObject", json!({"Bucket": "bucket", "Key": key})).await.unwrap();
        assert_eq!((&head["ETag"], head.get("Body")), (&put["ETag"], None));
    }
    let delete = json!({"Bucket": "bucket", "Delete": {"Objects": [{"Key": "c"}, {"Key": "none"}]}});
    let deleted = call(&s3, "DeleteObjects", delete).await.unwrap();
    assert_eq!(deleted, json!({"Deleted": [{"Key": "c"}, {"Key": "none"}]}));
    let error = call(&s3, "GetObject", json!({"Bucket": "bucket", "Key": "c"})).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("NoSuchKey", 404));
    let error = call(&s3, "GetObject", json!({"Bucket": "none", "Key": "c"})).await.unwrap_err();
    assert_eq!(error.code, "NoSuchBucket");
    let error = call(&s3, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap_err();
    assert_eq!(error.code, "BucketAlreadyOwnedByYou");
    let buckets = call(&s3, "ListBuckets", json!({})).await.unwrap();
    assert_eq!(buckets["Buckets"][0]["Name"], "bucket");
}

#[tokio::test]
async fn a_listing_comes_in_pages_with_prefixes_folded() {
    let (_root, s3) = s3().await;
    for key in ["a", "b/1", "b/2", "b/c/3", "d", "e/4"] {
        call(&s3, "PutObject", json!({"Bucket": "bucket", "Key": key})).await.unwrap();
    }
    for (prefix, delimiter, expected) in [
        ("", Some("/"), vec!["a", "b/", "d", "e/"]),
        ("b/", Some("/"), vec!["b/1", "b/2", "b/c/"]),
        ("b/", None, vec!["b/1", "b/2", "b/c/3"]),
        ("nothing", None, vec![]),
    ] {
        for most in 1..4 {
            let (mut found, mut token) = (Vec::new(), Value::Null);
            for _ in 0..9 {
                let input = json!({"Bucket": "bucket", "Prefix": prefix, "Delimiter": delimiter,
                    "MaxKeys": most, "ContinuationToken": token});
                let page = call(&s3, "ListObjectsV2", input).await.unwrap();
                let members = |name: &str, member: &str| -> Vec<String> {
                    let all = page[name].as_array().into_iter().flatten();
                    all.map(|one| one[member].as_str().unwrap().to_owned()).collect()
                };
                let (keys, prefixes) = (members("Contents", "Key"), members("CommonPrefixes", "Prefix"));
                assert_eq!(page["KeyCount"], keys.len() + prefixes.len());
                found.extend(keys);
                found.extend(prefixes);
                token = page["NextContinuationToken"].clone();
                assert_eq!(page["IsTruncated"], !token.is_null());
                if token.is_null() {
                    break;
                }
            }
            found.sort();
            assert_eq!(found, expected, "{prefix:?} {delimiter:?} {most}");
        }
    }
}
