//! Table tests of the JSONPath dialect, and properties that hold for every text. The expected values and
//! messages were checked against the Java library.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::limits::{MAX_NESTING, MAX_PATH_CHARS, MAX_STEPS};
use super::{JsonPath, PathErrorKind, ReferenceStep};

fn shop() -> Value {
    json!({
        "name": "Corner", "count": 3, "rate": 1.5, "open": true, "owner": null, "a-b": 1, "ünï": 2, "with'quote": 4,
        "items": [
            {"id": "i1", "qty": 2, "tags": ["x", "y"], "meta": {"k": 1}},
            {"id": "i2", "qty": 0, "tags": []},
            {"id": "i3", "qty": 5, "tags": ["z"], "meta": {"k": null}}
        ],
        "numbers": [3, 1, 2],
        "mixed": [1.0, 1, "1", "1.0", 1e10, true, null],
        "matrix": [[1, 2], [3, 4], [5]]
    })
}

/// Gives the value, or the message of whichever error comes first.
fn read(path: &str, root: &Value) -> Result<Value, String> {
    let path = JsonPath::parse(path).map_err(|error| error.to_string())?;
    path.select(root).map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
}

fn check_values(table: &[(&str, Value)]) {
    let root = shop();
    for (path, expected) in table {
        assert_eq!(read(path, &root).as_ref(), Ok(expected), "{path}");
    }
}

fn check_messages(table: &[(&str, &str)]) {
    let root = shop();
    for (path, expected) in table {
        assert_eq!(read(path, &root), Err((*expected).to_owned()), "{path}");
    }
}

#[test]
fn names_and_indexes() {
    check_values(&[
        ("$.name", json!("Corner")),
        ("$.a-b", json!(1)),
        ("$.ünï", json!(2)),
        ("$['with\\'quote']", json!(4)),
        ("$[\"with'quote\"]", json!(4)),
        ("$['\\u0063ount']", json!(3)),
        ("$.['count']", json!(3)),
        ("$.count  ", json!(3)),
        ("$.owner", json!(null)),
        ("$.items[0].id", json!("i1")),
        ("$.items[-1].id", json!("i3")),
        ("$.items[ 1 ]['id']", json!("i2")),
        ("$.numbers[0, 2]", json!([3, 2])),
        ("$.items[0]['id','qty','none']", json!({"id": "i1", "qty": 2})),
        ("$.items[*]['id','qty'].none", json!([])),
        ("$['name','count']", json!({"name": "Corner", "count": 3})),
        // Jayway stops one character before the end.
        ("$['count']]", json!(3)),
    ]);
    assert_eq!(read("$", &json!(null)), Ok(json!(null)));
}

#[test]
fn slices_wildcards_and_scans() {
    check_values(&[
        ("$.numbers[1:]", json!([1, 2])),
        ("$.numbers[-2:]", json!([1, 2])),
        ("$.numbers[:-1]", json!([3, 1])),
        ("$.numbers[0:2]", json!([3, 1])),
        ("$.numbers[1:0]", json!([])),
        ("$.numbers[9:]", json!([])),
        ("$.numbers[-2:5]", json!([1, 2, 3, 1, 2])),
        ("$.matrix[*][0]", json!([1, 3, 5])),
        ("$.matrix.*.*", json!([1, 2, 3, 4, 5])),
        ("$.items[*].meta.k", json!([1, null])),
        ("$.name.*", json!([])),
        ("$..k", json!([1, null])),
        ("$.items..tags", json!([["x", "y"], [], ["z"]])),
        ("$.matrix..[0]", json!([[1, 2], 1, 3, 5])),
        ("$.items..[0].id", json!(["i1"])),
        ("$.items..[*].id", json!(["i1", "i2", "i3"])),
        ("$.items[0]..*", json!(["i1", 2, ["x", "y"], {"k": 1}, "x", "y", 1])),
        ("$..nothing", json!([])),
        ("$.count..a", json!([])),
    ]);
}

#[test]
fn filters_compare() {
    check_values(&[
        ("$.items[?(@.qty > 1)].id", json!(["i1", "i3"])),
        ("$.items[?(@.qty>=2&&@.qty<=4)].id", json!(["i1"])),
        ("$.items[?(@.qty == 0 || @.id == 'i1')].id", json!(["i1", "i2"])),
        ("$.items[?(!(@.qty == 2))].id", json!(["i2", "i3"])),
        ("$.items[?(@.id != \"i1\")].id", json!(["i2", "i3"])),
        ("$.items[?(@.qty == $.count)].id", json!([])),
        ("$.items[?($.count > @.qty)].id", json!(["i1", "i2"])),
        ("$.items[?(@.none == null)].id", json!([])),
        ("$.items[?(@.meta.k == null)].id", json!(["i3"])),
        ("$.items[?(@.none != 1)].id", json!(["i1", "i2", "i3"])),
        ("$.items[?(@.id < 'i2')].id", json!(["i1"])),
        ("$.items[?(@.id < 5)].id", json!([])),
        ("$.items[?(@.tags == ['z'])].id", json!(["i3"])),
        ("$.items[?(@.tags.length() == 2)].id", json!(["i1"])),
        ("$.items[?(@['meta']['k'] == 1)].id", json!(["i1"])),
        ("$.items[?(@.tags[?(@ == 'x')] == ['x'])].id", json!(["i1"])),
        ("$.items[?(@.id == i2)].id", json!(["i2"])),
        ("$.numbers[?(@ > 1)]", json!([3, 2])),
        ("$.items[0][?(@.qty == 2)].id", json!(["i1"])),
        ("$.mixed[?(@ == 1)]", json!([1.0, 1, "1"])),
        ("$.mixed[?('1' == @)]", json!([1, "1"])),
        ("$.mixed[?(@ === 1)]", json!([1.0, 1])),
        ("$.mixed[?(@ == 10000000000)]", json!([1e10])),
    ]);
}

#[test]
fn filters_exist_match_and_search() {
    check_values(&[
        ("$.items[?(@.meta)].id", json!(["i1", "i3"])),
        ("$.items[?(!@.meta)].id", json!(["i2"])),
        ("$.items[?(@.tags[0])].id", json!(["i1", "i3"])),
        ("$.items[?(@.tags[*])].id", json!(["i1", "i2", "i3"])),
        ("$.items[?(@.id =~ /I[12]/i)].id", json!(["i1", "i2"])),
        ("$.items[?(@.id =~ /i/)].id", json!([])),
        ("$.items[?(@.tags =~ /[xz]/)].id", json!(["i1", "i3"])),
        ("$.mixed[?(@ =~ /1.0E.*/)]", json!([1e10])),
        ("$.items[?(@.id in ['i1', i3])].id", json!(["i1", "i3"])),
        ("$.items[?(@.id nin ['i1'])].id", json!(["i2", "i3"])),
        ("$.items[?('x' in @.tags)].id", json!(["i1"])),
        ("$.items[?(@.id in 'i1')].id", json!([])),
        ("$.items[?(@.id nin 'i1')].id", json!([])),
        ("$.items[?(@.tags contains 'z')].id", json!(["i3"])),
        ("$.items[?(@.id contains '2')].id", json!(["i2"])),
        ("$.items[?(@.tags size 2)].id", json!(["i1"])),
        ("$.items[?(@.id SIZE 2)].id", json!(["i1", "i2", "i3"])),
        ("$.items[?(@.tags empty true)].id", json!(["i2"])),
        ("$.items[?(@.tags anyof ['y','z'])].id", json!(["i1", "i3"])),
        ("$.items[?(@.tags noneof ['x'])].id", json!(["i2", "i3"])),
        ("$.items[?(@.tags subsetof ['x','y'])].id", json!(["i1", "i2"])),
    ]);
    check_messages(&[
        ("$.items[?(1 in $.matrix)]", "Could not determine value type"),
        (
            "$.items[?(@.qty.sum() > 1)]",
            "Aggregation function attempted to calculate value using empty array",
        ),
    ]);
}

#[test]
fn functions() {
    check_values(&[
        ("$.numbers.length()", json!(3)),
        ("$.items[0].size()", json!(4)),
        ("$.name.length()", json!(null)),
        ("$.items[*].tags.length()", json!([2, 0, 1])),
        ("$.numbers.min()", json!(1.0)),
        ("$.numbers.max()", json!(3.0)),
        ("$.numbers.avg()", json!(2.0)),
        ("$.numbers.sum()", json!(6.0)),
        ("$.numbers.stddev()", json!(0.816_496_580_927_726_3)),
        ("$..qty.sum()", json!(7.0)),
        ("$.sum($..qty, 1)", json!(8.0)),
        ("$..items.length()", json!(3)),
        ("$.items[0].keys()", json!(["id", "qty", "tags", "meta"])),
        ("$.numbers.first()", json!(3)),
        ("$.numbers.last()", json!(2)),
        ("$.numbers.index(1)", json!(1)),
        ("$.items[*].tags.first()", json!(["x", "z"])),
        ("$.concat($.name, \"-\", 7, $.numbers)", json!("Corner-7312")),
        ("$.concat($.items[0].meta)", json!("{k=1}")),
        ("$.numbers.append(4)", json!([3, 1, 2, 4])),
        ("$.numbers.append($.name)[3]", json!("Corner")),
    ]);
    check_messages(&[
        ("$.numbers.median()", "Function with name: median does not exist."),
        ("$.name.sum()", "Aggregation function attempted to calculate value using empty array"),
        ("$.numbers.index(9)", "Index 9 out of bounds for length 3"),
        ("$.numbers.index(-3)", "Target index:-3 larger than object count:3"),
        ("$.numbers.append($.none)", "No results for path: $['none']"),
        ("$.concat(\"a\"", "Arguments to function: 'concat' are not closed properly."),
    ]);
}

#[test]
fn messages_of_missing_nodes() {
    check_messages(&[
        ("$.none", "No results for path: $['none']"),
        ("$.items[0].none", "No results for path: $['items'][0]['none']"),
        ("$.items[9].id", "No results for path: $['items'][9]['id']"),
        ("$.none.a", "Missing property in path $['none']"),
        ("$.none[*]", "Missing property in path $['none']"),
        ("$.owner[0]", "The path $['owner'] is null"),
        (
            "$.items[0][0].a",
            "Filter: [0]['a'] can only be applied to arrays. Current context is: {id=i1, qty=2, tags=[\"x\",\"y\"], meta={k=1}}",
        ),
        ("$.count[?(@.a)]", "Filter: [?] can not be applied to primitives. Current context is: 3"),
    ]);
    let classes = [
        ("$.name.a", "java.lang.String"),
        ("$.count.a", "java.lang.Integer"),
        ("$.rate.a", "java.lang.Double"),
        ("$.open.a", "java.lang.Boolean"),
        ("$.owner.a", "null"),
        ("$.items.a", "net.minidev.json.JSONArray"),
    ];
    for (path, class) in classes {
        let parent = path.trim_start_matches("$.").trim_end_matches(".a");
        let expected = format!(
            "Expected to find an object with property ['a'] in path $['{parent}'] but found '{class}'. This is not a \
             json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'."
        );
        assert_eq!(read(path, &shop()), Err(expected));
    }
}

#[test]
fn messages_of_wrong_texts() {
    check_messages(&[
        ("", "Path must start with '$'"),
        ("name", "Path must start with '$'"),
        ("$name", "Illegal character at position 1 expected '.' or '['"),
        ("$$.name", "Illegal character at position 1 expected '.' or '['"),
        ("$.", "Path must not end with a '.' or '..'"),
        ("$.a..", "Path must not end with a '.' or '..'"),
        ("$.a...b", "Character '.' on position 5 is not valid."),
        ("$.a b", "Use bracket notion ['my prop'] if your property contains blank characters. position: 2"),
        ("$.a[0] [1]", "Could not parse token starting at position 6"),
        ("$.a[]", "Could not parse token starting at position 3. Expected ?, ', 0-9, * "),
        ("$.a[x]", "Could not parse token starting at position 3. Expected ?, ', 0-9, * "),
        ("$.a[(@.length-1)]", "Could not parse token starting at position 3. Expected ?, ', 0-9, * "),
        ("$.a[-]", "Failed to parse token in ArrayIndexOperation: -"),
        ("$.a[1,]", "Failed to parse token in ArrayIndexOperation: "),
        ("$.a[99999999999]", "Failed to parse token in ArrayIndexOperation: 99999999999"),
        ("$.a[:]", "Failed to parse SliceOperation: :"),
        ("$.a[::2]", "Failed to parse SliceOperation: ::2"),
        ("$.a[*x]", "Expected wildcard token to end with ']' on position 5"),
        ("$['a", "Property has not been closed - missing closing '"),
        ("$['a',]", "Found empty property at index 6"),
        (
            "$['a'b]",
            "Property must be separated by comma or Property must be terminated close square bracket at index 4",
        ),
        ("$.a[?]", "Not enough predicates supplied for filter [?] at position 3"),
        ("$.a[?()]", "Failed to parse filter: [?()], error on position: 3, char: )"),
        ("$.a[?(@.b >)]", "Failed to parse filter: [?(@.b >)], error on position: 8, char: )"),
        ("$.a[?(@.b = 1)]", "Expected character: )"),
        ("$.a[?(@.b == 1 or @.c)]", "Expected character: )"),
        ("$.a[?(true)]", "Expected path node"),
        ("$.a[?(@.b =~ /(/)]", "Failed to parse filter: [?(@.b =~ /(/)], error on position: 13, char: )"),
        ("$.a[?(@.b == 'c)]", "Could not find matching close quote for ' when parsing : $.a[?(@.b == 'c)]"),
    ]);
}

#[test]
fn definiteness() {
    for path in ["$", "$.a", "$.a['b'][0][-1]", "$['a','b']", "$.a.length()", "$..a.sum()", "$.sum($..a)"] {
        assert!(JsonPath::parse(path).unwrap().is_definite(), "{path}");
    }
    for path in ["$.*", "$[*]", "$..a", "$[0,1]", "$[1:]", "$[?(@.a)]", "$['a','b'].c", "$.a[*].sum()"] {
        assert!(!JsonPath::parse(path).unwrap().is_definite(), "{path}");
    }
}

#[test]
fn reference_paths() {
    let path = JsonPath::parse("$.a['b c'][0]").unwrap();
    let steps = vec![ReferenceStep::Name("a"), ReferenceStep::Name("b c"), ReferenceStep::Index(0)];
    assert_eq!(path.reference_steps(), Some(steps));
    assert_eq!(path.as_str(), "$.a['b c'][0]");
    assert_eq!(JsonPath::parse("$").unwrap().reference_steps(), Some(Vec::new()));
    for path in ["$[-1]", "$.*", "$..a", "$['a','b']", "$[0,1]", "$[0:1]", "$[?(@.a)]", "$.a.length()"] {
        assert!(!JsonPath::parse(path).unwrap().is_reference_path(), "{path}");
    }
}

#[test]
fn a_definite_result_points_into_the_document() {
    let root = shop();
    let path = JsonPath::parse("$.items[0].meta").unwrap();
    let found = path.select(&root).unwrap();
    assert!(
        matches!(found, std::borrow::Cow::Borrowed(value) if std::ptr::eq(value, &raw const root["items"][0]["meta"]))
    );
}

#[test]
fn bounds_hold() {
    let long = format!("${}", ".a".repeat(MAX_STEPS + 1));
    assert_eq!(read(&long, &json!({})), Err(format!("Path has more than {MAX_STEPS} steps")));
    let longer = format!("$.{}", "a".repeat(MAX_PATH_CHARS));
    assert_eq!(read(&longer, &json!({})), Err(format!("Path is longer than {MAX_PATH_CHARS} characters")));
    let branching = format!("${}", "[?(@.a == 1)]".repeat(MAX_STEPS / 2));
    assert_eq!(read(&branching, &json!({"a": 1})), Ok(json!([{"a": 1}])));
    let deep = |levels: usize| format!("$[?({}@.a{})]", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(read(&deep(MAX_NESTING - 3), &json!([])), Ok(json!([])));
    assert_eq!(
        read(&deep(MAX_NESTING + 1), &json!([])),
        Err(format!("Path is nested more than {MAX_NESTING} levels deep"))
    );
}

#[test]
fn an_explosive_path_ends_in_an_error() {
    let mut document = json!("leaf");
    for _ in 0..100 {
        document = json!([document, 1, 2]);
    }
    let error = JsonPath::parse("$..*..*..*..*..*").unwrap().select(&document).unwrap_err();
    assert_eq!(error.kind(), PathErrorKind::TooLarge);
    let list: Value = (0..50_000).collect();
    let error = JsonPath::parse("$[?(@ in $)]").unwrap().select(&list).unwrap_err();
    assert_eq!(error.kind(), PathErrorKind::TooLarge);
    let mut copied = json!("text".repeat(50_000));
    for _ in 0..100 {
        copied = json!([copied]);
    }
    let error = JsonPath::parse("$..*").unwrap().select(&copied).unwrap_err();
    assert_eq!(error.kind(), PathErrorKind::TooLarge);
    let text = json!(["a".repeat(200_000)]);
    let error = JsonPath::parse("$[?(@ =~ /(a{1,25}){1,25}/)]").unwrap().select(&text).unwrap_err();
    assert_eq!(error.kind(), PathErrorKind::TooLarge);
    assert!(JsonPath::parse("$[?(@ =~ /(a{1,1000}){1,1000}/)]").is_err());
}

/// Texts made of the pieces of real paths, so that many of them parse.
fn path_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        ".",
        "..",
        "a",
        "b",
        "[",
        "]",
        "[0]",
        "[-1]",
        "[*]",
        "*",
        "['a']",
        "['a','b']",
        "[1:2]",
        "[?(",
        ")]",
        "@",
        "$",
        "@.a",
        "==",
        "!=",
        "<",
        "=~",
        " in ",
        " size ",
        "'a'",
        "'",
        "\"",
        "/a+/i",
        "1",
        "1e9",
        "true",
        "null",
        "[1,'a']",
        "&&",
        "||",
        "!",
        "(",
        ")",
        ".length()",
        ".concat(",
        ",",
        "{",
        "}",
        "\\",
        " ",
        "é",
        "𝄞",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| format!("${}", pieces.concat()))
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = read(&text, &shop());
        let _ = read(&format!("${text}"), &shop());
        let _ = read(&format!("$.items[?({text})]"), &shop());
    }

    #[test]
    fn path_like_texts_evaluate_alike_each_time(text in path_like()) {
        let root = shop();
        if let Ok(path) = JsonPath::parse(&text) {
            let first = path.select(&root);
            prop_assert_eq!(&first, &path.clone().select(&root));
            if let (false, Ok(value)) = (path.is_definite(), &first) {
                prop_assert!(value.is_array());
            }
        }
    }

    #[test]
    fn a_reference_path_is_definite_and_reads_what_its_steps_say(text in path_like()) {
        let root = shop();
        let Ok(path) = JsonPath::parse(&text) else { return Ok(()) };
        let Some(steps) = path.reference_steps() else { return Ok(()) };
        prop_assert!(path.is_definite());
        let found = steps.iter().try_fold(&root, |node, step| match step {
            ReferenceStep::Name(name) => node.get(*name),
            ReferenceStep::Index(index) => node.get(usize::try_from(*index).unwrap()),
        });
        let selected = path.select(&root).ok();
        prop_assert_eq!(selected.as_deref(), found);
    }
}
