//! What the fuzzers of `tests/fuzz` have found, and the worst inputs that came to mind, each with its target's own
//! check. Names say what is nasty. All together take some seconds: a bound that is missing shows
//! as a test that takes forever. Must never hold an input without the reason for it.

#[path = "../../../tests/fuzz/src/checks/mod.rs"]
#[allow(unreachable_pub, reason = "the fuzzers use the same files as a library")]
mod checks;

use serde_json::{Map, Value, json};
use stepwell_asl::StateMachine;
use stepwell_asl::jsonpath::{JsonPath, PathErrorKind};

/// A text and why it is here.
type Case = (&'static str, String);

fn each(cases: Vec<Case>, check: impl Fn(&str)) {
    for (name, text) in cases {
        println!("{name}"); // shown when the check fails
        check(&text);
    }
}

/// `open` and `close` around `core`, `depth` times.
fn nested(depth: usize, open: &str, core: &str, close: &str) -> String {
    [&open.repeat(depth), core, &close.repeat(depth)].concat()
}

/// A machine with one state.
fn single(state: &Value) -> String {
    json!({"StartAt": "S", "States": {"S": state}}).to_string()
}

/// A machine of `states` named `0`, `1` and so on, which starts with the first.
fn chain(states: impl Iterator<Item = Value>) -> String {
    let states: Map<String, Value> =
        states.enumerate().map(|(index, state)| (index.to_string(), state)).collect();
    json!({"StartAt": "0", "States": states}).to_string()
}

/// `count` steps `.a`.
fn names(count: usize) -> String {
    format!("${}", ".a".repeat(count))
}

#[test]
fn texts_that_are_hardly_definitions() {
    each(
        vec![
            ("nothing", String::new()),
            ("blanks", " \n\t ".to_owned()),
            ("a byte order mark", "\u{feff}{}".to_owned()),
            ("open arrays", "[".repeat(1_000_000)),
            ("open objects", "{\"a\":".repeat(200_000)),
            ("deep but closed", nested(126, "[", "", "]")),
            ("deeper than JSON is read", nested(200, "{\"States\":", "1", "}")),
            (
                "a lone surrogate",
                r#"{"StartAt": "\ud800", "States": {"\udc00": {"Type": "Succeed"}}}"#.to_owned(),
            ),
            ("a number out of range", r#"{"StartAt": "S", "TimeoutSeconds": 1e999999}"#.to_owned()),
            ("a quote that stays open", r#"{"StartAt": "S, "States": {}}"#.to_owned()),
            ("text behind the end", r#"{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}} x"#.to_owned()),
            (
                "keys twice",
                r#"{"StartAt": "S", "StartAt": "T", "States": {"S": {"Type": "Succeed", "Type": "Fail"}}}"#
                    .to_owned(),
            ),
        ],
        checks::definition::check,
    );
}

#[test]
fn definitions_with_strange_states() {
    let pass = |next: &str| json!({"Type": "Pass", "Next": next});
    let rule = |depth| nested(depth, r#"{"Not":"#, r#"{"Variable": "$.n", "IsPresent": true}"#, "}");
    let choice = |rule: String| {
        let state = r#"{"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"Next": "C", "And": [RULE]}]}}}"#;
        state.replace("RULE", &rule)
    };
    let parallel = r#"{"Type": "Parallel", "End": true, "Branches": [{"StartAt": "S", "States": {"S":"#;
    each(
        vec![
            ("an empty name", json!({"StartAt": "", "States": {"": {"Type": "Succeed"}}}).to_string()),
            (
                "a name of NUL",
                json!({"StartAt": "\u{0}", "States": {"\u{0}": {"Type": "Pass", "End": true}}}).to_string(),
            ),
            (
                "a name of pointer signs",
                json!({"StartAt": "~1/~", "States": {"~1/~": pass("~1/~")}}).to_string(),
            ),
            ("a name of 80 characters, 320 bytes", {
                let name = "😀".repeat(80);
                json!({"StartAt": name.clone(), "States": {name.clone(): pass(&name)}}).to_string()
            }),
            ("a long name in front of many problems", {
                let fields: Map<String, Value> =
                    (0..500).map(|index| (index.to_string(), Value::Null)).collect();
                let name = "n".repeat(100_000);
                json!({"StartAt": name.clone(), "States": {name: fields}}).to_string()
            }),
            ("states are a list", json!({"StartAt": "0", "States": [{"Type": "Succeed"}]}).to_string()),
            ("states are null", json!({"StartAt": "0", "States": {"0": null}}).to_string()),
            ("a state that leads to itself", single(&pass("S"))),
            (
                "10,000 states in a circle",
                chain((0..10_000).map(|at| pass(&((at + 1) % 10_000).to_string()))),
            ),
            ("1,000 states that lead nowhere", chain((0..1_000).map(|at| pass(&format!("-{at}"))))),
            (
                "one name in two branches",
                single(&json!({"Type": "Parallel", "End": true, "Branches": [
                    {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}, {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
                ]})),
            ),
            (
                "a branch that leads out",
                single(&json!({"Type": "Parallel", "End": true, "Branches": [
                    {"StartAt": "A", "States": {"A": pass("S")}}
                ]})),
            ),
            ("no branches", single(&json!({"Type": "Parallel", "End": true, "Branches": []}))),
            (
                "branches in branches",
                format!(
                    r#"{{"StartAt": "S", "States": {{"S":{}}}}}"#,
                    nested(25, parallel, r#"{"Type": "Succeed"}"#, "}}]}")
                ),
            ),
            (
                "a Map of a Map of its own input",
                single(&json!({"Type": "Map", "End": true, "ItemsPath": "$.items",
                "ItemProcessor": {"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemsPath": "$",
                    "ItemProcessor": {"StartAt": "X", "States": {"X": {"Type": "Pass", "End": true}}}}}}})),
            ),
            ("rules as deep as they may be", choice(rule(40))),
            ("deeper rules", choice(rule(100))),
            (
                "all operators at once",
                single(
                    &json!({"Type": "Choice", "Choices": [{"Variable": "$", "And": [], "Or": [], "Not": {},
                "IsNull": true, "NumericEquals": 1e308, "StringMatches": "\\", "Next": "S"}]}),
                ),
            ),
            (
                "huge numbers of retries",
                single(&json!({"Type": "Task", "Resource": "arn:aws:lambda:::function:f", "End": true,
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 99_999_999, "BackoffRate": 1.7e308, "IntervalSeconds": 99_999_999,
                    "MaxDelaySeconds": 31_622_400}]})),
            ),
            (
                "the end of time",
                single(
                    &json!({"Type": "Wait", "Timestamp": "9999-12-31T23:59:59.999999999-23:59", "End": true}),
                ),
            ),
            (
                "a leap second",
                single(&json!({"Type": "Wait", "Timestamp": "2016-12-31T23:59:60Z", "End": true})),
            ),
            (
                "templates as deep as they may be",
                single(&json!({"Type": "Pass", "End": true,
                "Parameters": (0..99).fold(json!({"x.$": "$"}), |inner, _| json!([inner]))})),
            ),
            (
                "keys of nothing but a dollar sign",
                single(&json!({"Type": "Pass", "End": true,
                "Parameters": {".$": "$", "$": "$", "a.$": "$", "a": 1}})),
            ),
        ],
        checks::definition::check,
    );
}

/// A machine that runs its first state again and again, with its own output, until a bound stops it.
fn loops(state: &Value) -> String {
    let mut state = state.clone();
    state["Next"] = json!("Again");
    let again = json!({"Type": "Choice", "Default": "S", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "End"}]});
    json!({"StartAt": "S", "States": {"S": state, "Again": again, "End": {"Type": "Succeed"}}}).to_string()
}

/// Without a bound the text of a value, or its reading back, overflows the stack; or memory runs out.
#[test]
fn data_that_grows() {
    let around = |depth| (0..depth).fold(json!({"x.$": "$"}), |inner, _| json!({"x": inner}));
    let copies: Map<String, Value> = (0..200).map(|at| (format!("{at}.$"), json!("$.long"))).collect();
    let lambda = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let iterations = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    // Each level of iterations puts its item deeper, up to the depth that a definition may have.
    let maps =
        (0..14).rev().fold(json!({"Type": "Wait", "Seconds": 1, "End": true}), |inner, level: usize| {
            let selector =
                (0..92 - 4 * level).fold(json!({"i.$": "$$.Map.Item.Value"}), |inner, _| json!([inner]));
            json!({"Type": "Map", "End": true, "ItemSelector": {"x": selector}, "ItemsPath": "$[*]",
            "ItemProcessor": {"StartAt": level.to_string(), "States": {level.to_string(): inner}}})
        });
    each(
        vec![
            (
                "a result 500 levels deep",
                loops(&json!({"Type": "Pass", "Result": 1, "ResultPath": names(500)})),
            ),
            ("90 levels with each turn", loops(&json!({"Type": "Pass", "Parameters": around(90)}))),
            ("one level with each turn", loops(&json!({"Type": "Pass", "Parameters": around(0)}))),
            (
                "one level, and 90 more for a task",
                loops(&json!({"Type": "Task", "Resource": lambda,
                "Parameters": around(90), "ResultPath": names(90)})),
            ),
            (
                "one level, by iterations",
                loops(&json!({"Type": "Map", "ItemProcessor": iterations.clone(), "ItemsPath": "$.items",
                "ItemSelector": around(90), "ResultPath": names(90)})),
            ),
            ("iterations in iterations, each item deeper", single(&maps)),
            ("one level, by a variable in itself", loops(&json!({"Type": "Pass", "Assign": around(9)}))),
            (
                "twice as long with each turn",
                loops(&json!({"Type": "Pass", "Parameters": {"l.$": "$", "r.$": "$"}})),
            ),
            ("200 copies of a long text", loops(&json!({"Type": "Pass", "Parameters": copies.clone()}))),
            (
                "200 copies for a task",
                loops(&json!({"Type": "Task", "Resource": lambda, "Parameters": copies.clone()})),
            ),
            (
                "200 copies for each iteration",
                loops(&json!({"Type": "Map", "ItemProcessor": iterations, "ItemsPath": "$.items",
                "ItemSelector": copies})),
            ),
        ],
        |definition| {
            assert_eq!(StateMachine::parse(definition).err(), None, "the machine itself is legal");
            let deep = (0..100).fold(json!({}), |inner, _| json!([inner]));
            let input = json!({"long": "x".repeat(8_000), "items": [1, 2], "a": {"deep": deep}}).to_string();
            checks::step::check(definition, &input, &[0, START, 0, GO_ON, 9]);
        },
    );
}

#[test]
fn path_texts() {
    let signs = [
        "[",
        "(",
        "[?(",
        "['",
        "[\"",
        "..",
        ".a(",
        "[?(@.a=~/(",
        "[?(@ in [",
        "[?(@=={'a':",
        ".concat(\"",
        "[?($[",
        "[?(@[?(",
        "[?(@.a&&",
        "[?(!",
        "[,",
        "[:",
        "[-",
        "\\",
        "\u{0}",
        "😀",
        " ",
        ".*",
        "[*]",
        "@",
        "$",
    ];
    for sign in signs {
        for count in [1, 3, 16_000 / sign.len()] {
            let path = format!("${}", sign.repeat(count));
            println!("{sign} {count} times");
            checks::jsonpath::check(&path);
        }
    }
    each(
        vec![
            ("nothing", String::new()),
            ("a line break in the path", "$['a\n']\n{\"a\\n\": 1}".to_owned()),
            ("an index out of range", "$[99999999999999999999]\n[1]".to_owned()),
            ("the smallest index", "$[-2147483648]\n[1]".to_owned()),
            ("a slice from end to end", "$[-2147483648:2147483647]\n[1, 2]".to_owned()),
            ("a half surrogate in a name", r"$['\ud800']".to_owned()),
            ("an escape that ends the text", r"$['\".to_owned()),
            (
                "a number with a huge exponent",
                "$[?(@ > 1e2147483647 || @ == 1e-2147483648)]\n[\"1e2147483647\", 0, 1e308]".to_owned(),
            ),
            (
                "a number of 16,000 digits",
                format!("$[?(@ == {})]\n[\"{}\", 1]", "9".repeat(16_000), "9".repeat(16_000)),
            ),
            (
                "a pattern in a pattern",
                "$[?(@ =~ /((((a*)*)*)*)*$/)]\n[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]".to_owned(),
            ),
            ("a pattern that multiplies itself", "$[?(@ =~ /((a{99}){99}){99}/)]\n[\"a\"]".to_owned()),
            ("a function on its own result", format!("$.list{}", ".append($.list)".repeat(300))),
            ("keys of keys", "$.keys().keys().length()".to_owned()),
        ],
        checks::jsonpath::check,
    );
}

/// Paths that are short, or look harmless, and visit much of the document many times.
#[test]
fn path_costs() {
    let zeros = |count: usize| Value::from(vec![0; count]);
    let listed = |count: usize| json!({"list": zeros(count)});
    let deep = (0..60).fold(json!(1), |inner, _| json!([1, inner]));
    let same = format!("$.a[?({})]", vec!["$.x == $.y"; 100].join(" && "));
    for (name, path, document, too_large) in [
        ("stars behind scans", "$..*..*..*..*", deep.clone(), true),
        ("500 filters", &format!("${}", "[?(@)]".repeat(500)), deep.clone(), false),
        ("170 scans with filters", &format!("${}", "..[?(@.a)]".repeat(170)), deep, false),
        ("a pattern on a long text", "$[?(@ =~ /(a*)*(a|aa)*b{1,99}/)]", json!(["a".repeat(100_000)]), false),
        (
            "a sum of everything for each item",
            "$.a[*].sum($.b)",
            json!({"a": zeros(8_000), "b": zeros(60_000)}),
            true,
        ),
        (
            "long lists compared",
            &same,
            json!({"a": zeros(2_000), "x": listed(20_000), "y": listed(20_000)}),
            true,
        ),
    ] {
        println!("{name}");
        // Each of these would take minutes without the bound that stops it.
        let path = JsonPath::parse(path).unwrap();
        let stopped = path.select(&document).is_err_and(|error| error.kind() == PathErrorKind::TooLarge);
        assert_eq!(stopped, too_large, "{name}");
    }
}

#[test]
fn intrinsic_calls() {
    let digits = "9".repeat(400);
    each(
        vec![
            ("no arguments", "States.Format()".to_owned()),
            ("a call that stays open", "States.Format('".to_owned()),
            ("a quote that is escaped at the end", r"States.Format('\".to_owned()),
            ("more braces than arguments", "States.Format('{}{}{}', 1)".to_owned()),
            ("braces that are escaped", r"States.Format('\{\}\\{}\'', $.text)".to_owned()),
            ("calls in calls", nested(5_000, "States.Array(", "1", ")")),
            ("calls in calls, as deep as they may be", nested(10, "States.Array(", "$", ")")),
            ("10,000 arguments", format!("States.Array({}1)", "1,".repeat(9_999))),
            ("a range with no end", "States.ArrayRange(0, 9223372036854775807, 1)".to_owned()),
            (
                "a range of the largest steps",
                "States.ArrayRange(-9223372036854775808, 9223372036854775807, 9223372036854775807)"
                    .to_owned(),
            ),
            ("a range that goes nowhere", "States.ArrayRange(1, 9, 0)".to_owned()),
            ("a sum out of range", "States.MathAdd(9223372036854775807, 1)".to_owned()),
            (
                "the smallest number twice",
                "States.MathAdd(-9223372036854775808, -9223372036854775808)".to_owned(),
            ),
            ("a number of 400 digits", format!("States.MathAdd({digits}, -{digits})")),
            ("a fraction", "States.MathAdd(1e308, -1.5)".to_owned()),
            ("dice of one side", "States.MathRandom(1, 1)".to_owned()),
            ("dice of all sides", "States.MathRandom(-9223372036854775808, 9223372036854775807)".to_owned()),
            ("dice the wrong way round, with a strange seed", "States.MathRandom(9, 1, -1.5)".to_owned()),
            ("parts of nothing", "States.ArrayPartition($.list, 0)".to_owned()),
            ("parts of less than nothing", "States.ArrayPartition($.list, -1)".to_owned()),
            ("an item before the first", "States.ArrayGetItem($.list, -1)".to_owned()),
            ("an item behind the last", "States.ArrayGetItem($.list, 9223372036854775807)".to_owned()),
            ("separators of nothing", "States.StringSplit($.text, '')".to_owned()),
            ("separators of two bytes", "States.StringSplit($.unicode, 'ä')".to_owned()),
            ("what is not base64", "States.Base64Decode('=')".to_owned()),
            ("bytes that are no text", "States.Base64Decode('//79')".to_owned()),
            ("text that is deep JSON", format!("States.StringToJson($)\n{:?}", nested(1_000, "[", "", "]"))),
            (
                "text that is half a surrogate",
                r#"States.StringToJson($)
"\"\\ud800\"""#
                    .to_owned(),
            ),
            ("text of text of text", nested(9, "States.JsonToString(", "$", ")")),
            ("a document merged with itself", "States.JsonMerge($, $, false)".to_owned()),
            ("a document merged with a number", "States.JsonMerge($, 1, true)".to_owned()),
            ("an unknown hash", "States.Hash($, 'SHA-3')".to_owned()),
            ("an unknown function", "States.Nothing(1)".to_owned()),
            ("a long text hashed", format!("States.Hash($, 'SHA-512')\n{:?}", "x".repeat(20_000))),
            ("a path with commas and brackets", "States.Array($['a,b)'], $.items[?(@ == ')')])".to_owned()),
            ("a context path", "States.Array($$, $$.State.Name, $$.Nothing)".to_owned()),
            ("a variable that is not set", "States.Array($nothing, $nothing.a)".to_owned()),
        ],
        checks::intrinsic::check,
    );
}

const START: u8 = 0;
const ANSWER: u8 = 1;
const FAIL: u8 = 2;
const GO_ON: u8 = 3;
const REPEAT: u8 = 4;
const UNKNOWN: u8 = 5;
const WRONG_KIND: u8 = 6;
const STOP: u8 = 8;
const FIRE: u8 = 9;
const REDRIVE: u8 = 15;
/// Random scripts for each machine.
const REDRIVEN_SCRIPTS: usize = 12;
const END_OF_TIME: u8 = 11;
const TAKEN: u8 = 12;
const SUBMITTED: u8 = 13;
const HEARTBEAT: u8 = 14;

/// Machines of the fuzzers with scripts: the first byte of a script says which input, then two bytes an action.
#[test]
fn scripts() {
    macro_rules! machine {
        ($name:literal) => {
            (
                concat!($name),
                include_str!(concat!("../../../tests/fuzz/machines/", $name, "/definition.asl.json")),
                include_str!(concat!("../../../tests/fuzz/machines/", $name, "/input.json")),
            )
        };
    }
    let machines = [
        machine!("deadlines"),
        machine!("deeper"),
        machine!("endless"),
        machine!("longer"),
        machine!("loops"),
        machine!("map"),
        machine!("order"),
        machine!("outside"),
        machine!("parallel"),
    ];
    let scripts: [&[u8]; 9] = [
        &[0, START, 0, GO_ON, 20],
        // Small quotas.
        &[128, START, 0, GO_ON, 30, REPEAT, 3],
        &[0, STOP, 0, START, 0, STOP, 0],
        &[0, FIRE, 0, START, 0, START, 0, UNKNOWN, 2, WRONG_KIND, 0, WRONG_KIND, 1, REPEAT, 0],
        &[0, START, 0, FAIL, 0, FAIL, 0x10, FAIL, 0x60, REPEAT, 1, GO_ON, 10],
        // The second work first, all results null.
        &[0, START, 0, ANSWER, 1, ANSWER, 1, ANSWER, 0, ANSWER, 0, REPEAT, 2, GO_ON, 9],
        &[0, START, 0, TAKEN, 1, SUBMITTED, 0, HEARTBEAT, 0, HEARTBEAT, 1, FIRE, 1, ANSWER, 0, GO_ON, 12],
        // Results over the quota and just below it.
        &[0, START, 0, ANSWER, 0xE0, ANSWER, 0xD0, GO_ON, 6],
        &[0, START, 0, END_OF_TIME, 0, ANSWER, 0, ANSWER, 1, FAIL, 0, GO_ON, 9],
    ];
    let mut random = fastrand::Rng::with_seed(5);
    for (name, definition, input) in machines {
        // Ends of all kinds and redrives after them, among anything else.
        for _ in 0..REDRIVEN_SCRIPTS {
            let mut script = vec![random.choice([0, 128]).unwrap_or_default(), START, 0];
            for _ in 0..40 {
                let kinds = [ANSWER, ANSWER, FAIL, FIRE, GO_ON, STOP, REPEAT, REDRIVE, REDRIVE];
                let argument = if random.bool() { random.u8(..) } else { random.u8(..4) };
                script.extend([random.choice(kinds).unwrap_or_default(), argument]);
            }
            checks::step::check(definition, input, &script);
        }
        let refused = StateMachine::parse(definition).err();
        assert_eq!(refused, None, "{name} is of no use to the fuzzers");
        for script in scripts {
            println!("{name} {script:?}");
            checks::step::check(definition, input, script);
        }
    }
}

/// A result that is `null` is a result: a checkpoint that loses it answers no output.
#[test]
fn an_output_of_null() {
    let definition = single(
        &json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}),
    );
    checks::step::check(&definition, "null", &[0, START, 0, ANSWER, 0]);
}

/// A Parallel state that leads straight into itself: results of its first visit must not be stored with the second.
#[test]
fn a_join_that_begins_anew_in_the_step_that_ended_it() {
    let task = || json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true});
    let definition = single(&json!({"Type": "Parallel", "Next": "S", "Branches": [
        {"StartAt": "A", "States": {"A": task()}}, {"StartAt": "B", "States": {"B": task()}}
    ]}));
    checks::step::check(&definition, "{}", &[0, START, 0, ANSWER, 0, ANSWER, 0]);
}

#[test]
fn expressions() {
    each(
        vec![
            ("deep calls", nested(5_000, "$f(", "1", ")")),
            ("deep objects", nested(5_000, "{'a':", "1", "}")),
            ("a long sum", ["1+".repeat(5_000), "1".to_owned()].concat()),
            ("a long path", ["$states".to_owned(), ".a".repeat(5_000)].concat()),
            ("a path that looks back", ["$states.input".to_owned(), ".a.%".repeat(400)].concat()),
            ("a focus that begins anew", "$v.a@$x.b@$y.{'x': $x, 'y': $y}".to_owned()),
            ("an error in the last of many characters", ["\u{1F600}' ".repeat(50), "'".to_owned()].concat()),
            ("signs within", "'{% %}' & \"%}\"".to_owned()),
        ],
        checks::expression::check,
    );
}

#[test]
fn expressions_that_are_slow_to_parse() {
    let output = |expression: String| {
        chain((0..400).map(move |number| {
            let expression = expression.clone();
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {(number.to_string()): expression}, "End": true})
        }))
    };
    let path = ["$states.input".to_owned(), ".a".repeat(970)].concat();
    each(
        vec![
            ("many long paths", output(format!("{{% {path} %}}"))),
            ("many long paths with an error", output(format!("{{% {path} 1 %}}"))),
            ("one expression of a MiB", output(format!("{{% [{}1] 2 %}}", "1,".repeat(1_200)))),
            (
                "a list with an error at its end",
                single(&json!({"Type": "Pass", "QueryLanguage": "JSONata",
                "Output": format!("{{% [{}1] 2 %}}", "1,".repeat(400_000)), "End": true})),
            ),
        ],
        checks::definition::check,
    );
}
