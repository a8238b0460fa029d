//! Formats, against models: what a writer of the format wrote must come back, however its bytes are cut.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};
use std::io::{self, Cursor};

/// Gives its bytes in pieces of these lengths, over and over.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    lengths: Vec<usize>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.at = (self.at + 1) % self.lengths.len();
        let length = self.lengths[self.at].clamp(1, into.len().max(1));
        self.bytes.read(&mut into[..length])
    }
}

fn in_pieces(text: &[u8], lengths: &[usize]) -> Pieces {
    Pieces { bytes: Cursor::new(text.to_vec()), lengths: lengths.to_vec(), at: 0 }
}

fn all(mut items: Box<dyn Items>) -> Result<Vec<RawItem>, Failure> {
    let mut found = Vec::new();
    while let Some(item) = items.next()? {
        found.push(item);
    }
    Ok(found)
}

fn read(key: &str, configuration: &Value, text: &[u8]) -> Result<Vec<Value>, Failure> {
    let configuration = Configuration::parse(configuration)?;
    let items = open(key, configuration.format.unwrap(), &configuration, in_pieces(text, &[3, 1, 2]))?;
    Ok(all(items)?.into_iter().map(|item| item.value).collect())
}

fn wrong<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    match result.unwrap_err() {
        Failure::Wrong(cause) => cause,
        Failure::Unavailable(reason) => panic!("available, but {reason}"),
    }
}

#[test]
fn rows_are_objects_of_texts() {
    let first_row = json!({"InputType": "CSV"});
    for (text, expected) in [
        ("a,b\n1,2\n", json!([{"a": "1", "b": "2"}])),
        ("a,b\r\n1,2", json!([{"a": "1", "b": "2"}])),
        ("\u{feff}\"a\",b\n1\n2,3,4\n", json!([{"a": "1", "b": ""}, {"a": "2", "b": "3"}])),
        ("a,b\n\n   \n,,,\n\r\n", json!([{"a": "   ", "b": ""}, {"a": "", "b": ""}])),
        ("a,\n1,2,3\n", json!([{"a": "1", "": "2"}])),
        ("a\n\"x \"\"y\"\"\n\\\"z\\\"\"\n", json!([{"a": "x \"y\"\n\"z\""}])),
        ("a,b\nC:\\\\X\\, y\\z,2\n", json!([{"a": "C:\\X, yz", "b": "2"}])),
        ("a,b\n1\r2,\"\"\n\"\"\n", json!([{"a": "1\r2", "b": ""}, {"a": "", "b": ""}])),
        ("a,b\nx\"y\",2\n", json!([{"a": "x\"y\"", "b": "2"}])),
        ("a\n", json!([])),
        ("", json!([])),
    ] {
        let found = read("x.csv", &first_row, text.as_bytes()).unwrap();
        assert_eq!(Value::Array(found), expected, "{text:?}");
    }
    for (name, delimiter) in
        [("PIPE", '|'), ("SEMICOLON", ';'), ("SPACE", ' '), ("TAB", '\t'), ("COMMA", ',')]
    {
        let given = json!({"InputType": "CSV", "CSVDelimiter": name, "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["c", "d"]});
        let found = read("x", &given, format!("1{delimiter}2\n").as_bytes()).unwrap();
        assert_eq!(found, [json!({"c": "1", "d": "2"})], "{name}");
    }
    assert_eq!(wrong(read("x", &first_row, b"a,a\n1,2")), "CSV headers cannot contain duplicates.");
    assert_eq!(wrong(read("x", &first_row, b"a\n\xff\n")), "The file is not UTF-8 text.");
}

#[test]
fn elements_and_members_are_items() {
    let text = br#" {"x": [{"y": "]}"}, {"a/b": [1, {"k": "\"[\\"}, "t", null, -2.5e3]}], "o": {"m": 1, "n": [2]}, "e": [], "s": "t"} "#;
    let at = |pointer: &str| {
        let configuration = json!({"InputType": "JSON", "ItemsPointer": pointer});
        read("x.json", &configuration, text).map(Value::Array)
    };
    assert_eq!(at("/x/1/a~1b").unwrap(), json!([1, {"k": "\"[\\"}, "t", null, -2.5e3]));
    assert_eq!(at("/o").unwrap(), json!([1, [2]]));
    assert_eq!(at("/e").unwrap(), json!([]));
    assert_eq!(at("").unwrap().as_array().unwrap().len(), 4);
    for nothing in ["/none", "/x/2", "/x/y", "/s/t"] {
        assert_eq!(wrong(at(nothing)), format!("The ItemsPointer '{nothing}' leads to nothing."));
    }
    assert_eq!(wrong(at("/s")), "Attempting to map over non-iterable node.");
    let configuration = Configuration::parse(&json!({"InputType": "JSON"})).unwrap();
    let items = open("x", Format::Json, &configuration, Cursor::new(br#"{"a": 1, "b\n": 2}"#)).unwrap();
    let keys: Vec<Option<String>> = all(items).unwrap().into_iter().map(|item| item.key).collect();
    assert_eq!(keys, [Some("a".to_owned()), Some("b\n".to_owned())]);
    let plain = json!({"InputType": "JSON"});
    for text in [
        "",
        "[",
        "[1",
        "[1 2]",
        "[1,]",
        "[,1]",
        "[1]x",
        "{\"a\" 1}",
        "{1:2}",
        "[tru]",
        "[[1}]",
        "[\"x",
        "[1}",
    ] {
        wrong(read("x", &plain, text.as_bytes()));
    }
    let lines = json!({"InputType": "JSONL"});
    assert_eq!(
        read("x", &lines, b"\xef\xbb\xbf{\"a\":1}\n\n 2 \r\n\"x\"").unwrap(),
        [json!({"a": 1}), json!(2), json!("x")]
    );
    assert!(wrong(read("x", &lines, b"1\nx\n")).starts_with("Line 2 is not JSON"));
}

/// A body that breaks off is not a file that is wrong.
#[test]
fn what_breaks_off_may_come_another_time() {
    struct Breaks;
    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    for (key, input_type, text) in [
        ("x.csv", "CSV", &b"a\n1\n2"[..]),
        ("x", "JSON", b"[1, 2"),
        ("x", "JSONL", b"1\n2"),
        ("x.gz", "CSV", &[0x1f, 0x8b, 8, 0]),
        ("x.zst", "CSV", &[0x28, 0xb5]),
        ("x", "PARQUET", b"PAR1"),
    ] {
        let configuration = Configuration::parse(&json!({"InputType": input_type})).unwrap();
        let body = Cursor::new(text).chain(Breaks);
        let result = open(key, configuration.format.unwrap(), &configuration, body).and_then(all);
        assert_eq!(result, Err(Failure::Unavailable("gone".to_owned())), "{key} {input_type}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |number| number.is_finite()).prop_map(Value::from),
        "[ -~é\"\\\\\n\u{10000}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z\"\\\\/]{0,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<String, Value>>())),
        ]
    })
}

proptest! {
    #[test]
    fn an_array_comes_back_however_it_is_cut(
        items in prop::collection::vec(json_value(), 0..12),
        beside in json_value(),
        is_pretty in any::<bool>(),
        lengths in prop::collection::vec(1usize..9, 1..5),
    ) {
        let document = json!({"beside": beside, "a": {"items": items}});
        let text = if is_pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
        let configuration = Configuration::parse(&json!({"InputType": "JSON", "ItemsPointer": "/a/items"})).unwrap();
        let mut source = open("x", Format::Json, &configuration, in_pieces(&text, &lengths)).unwrap();
        let skipped = items.len() / 2;
        for _ in 0..skipped {
            prop_assert!(source.skip().unwrap());
        }
        let found: Vec<Value> = all(source).unwrap().into_iter().map(|item| item.value).collect();
        prop_assert_eq!(&found[..], &items[skipped..]);
    }

    #[test]
    fn rows_come_back_as_the_csv_crate_wrote_them(
        rows in prop::collection::vec(prop::collection::vec("[ab,;|\t \"\n\ré]{0,6}", 3), 0..12),
        delimiter in prop::sample::select(vec![("COMMA", b','), ("PIPE", b'|'), ("TAB", b'\t'), ("SPACE", b' ')]),
        lengths in prop::collection::vec(1usize..9, 1..5),
    ) {
        let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter.1).from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter.1).has_headers(false).from_reader(&text[..]);
        let model: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        prop_assert_eq!(&model, &rows);
        let configuration = json!({"InputType": "CSV", "CSVDelimiter": delimiter.0,
            "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b", "c"]});
        let configuration = Configuration::parse(&configuration).unwrap();
        let source = open("x", Format::Csv, &configuration, in_pieces(&text, &lengths)).unwrap();
        let expected: Vec<Value> = rows.iter().map(|row| json!({"a": row[0], "b": row[1], "c": row[2]})).collect();
        let found: Vec<Value> = all(source).unwrap().into_iter().map(|item| item.value).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn nothing_makes_a_reader_panic(
        text in prop::collection::vec(prop::sample::select(b"[]{}\",:\\\n\r 1ae;|\xff\xef\xbb\xbf".to_vec()), 0..60),
        format in prop::sample::select(vec![Format::Csv, Format::Json, Format::JsonLines]),
    ) {
        let configuration = Configuration::parse(&json!({})).unwrap();
        let _ = open("x", format, &configuration, in_pieces(&text, &[1, 2])).and_then(all);
    }
}
