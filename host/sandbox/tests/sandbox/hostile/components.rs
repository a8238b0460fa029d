//! Components, written by hand and by loops: what can be nested, linked and instantiated beyond all measure.

use super::binaries::{component as of_sections, leb, section};
use super::{Case, Expected, wat};

const TRAP: Expected = Expected::Ends(&["Sandbox.Trap"]);
const TOO_LARGE: Expected = Expected::Refused(&["DoesNotCompile", "DoesNotValidate"]);
/// A component that exports something else than what its name says, after whatever it does before.
const HANDLER: &str = r#"(instance $i) (export "stepwell:task/handler@0.1.0" (instance $i))"#;
const WRONG: Expected = Expected::Refused(&["DoesNotLink"]);
const HI: Expected = Expected::Returns(|result| result == r#""hi""#);

/// A component of the contract. `more` comes before its handler; `run` is the code before it returns `"hi"`, `imports` what the
/// module with that code imports, and `with` what it gets for it.
pub(super) fn handler(more: &str, imports: &str, with: &str, definitions: &str, run: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
            {more}
            (core module $main
                {imports}
                (memory (export "memory") 2)
                (data (i32.const 16) "\00\00\00\00\00\04\00\00\04\00\00\00") (data (i32.const 1024) "\"hi\"")
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
                {definitions}
                (func (export "run") (param i32 i32) (result i32) {run} (i32.const 16)))
            (core instance $main (instantiate $main {with}))
            {LIFT}"#
    ))
}

/// Lifts `run` of `$main`, gives its types the names of the contract, and ends the component.
const LIFT: &str = r#"
    (type $error (record (field "error" string) (field "cause" string)))
    (type $outcome (result string (error $error)))
    (func $run (param "input" string) (result $outcome)
        (canon lift (core func $main "run") (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))
    (component $shim
        (type $record (record (field "error" string) (field "cause" string)))
        (import "error" (type $error (eq $record)))
        (type $outcome (result string (error $error)))
        (import "run" (func $run (param "input" string) (result $outcome)))
        (export $named "task-error" (type $record))
        (type $named-outcome (result string (error $named)))
        (export "run" (func $run) (func (param "input" string) (result $named-outcome))))
    (instance $handler (instantiate $shim (with "error" (type $error)) (with "run" (func $run))))
    (export "stepwell:task/handler@0.1.0" (instance $handler)))"#;

/// A contract kept, after something else was set up.
fn after(more: &str) -> Vec<u8> {
    handler(more, "", "", "", "")
}

pub(super) fn cases() -> Vec<Case> {
    [instances(), shapes(), reentrance(), resources(), names()].into_iter().flatten().collect()
}

fn instances() -> Vec<Case> {
    let many = |count: usize, fields: &str| {
        format!("(core module $m {fields}) {}", "(core instance (instantiate $m))".repeat(count))
    };
    let memory = Expected::Ends(&["Sandbox.OutOfMemory"]);
    vec![
        Case::new("a component that does nothing wrong", after(""), HI),
        Case::endless(
            "a core module whose start loops",
            after(&many(1, "(start $s) (func $s (loop (br 0)))")),
        ),
        Case::endless(
            "sixty start functions that take long",
            after(&many(
                60,
                "(start $s) (func $s (local i64) (loop (local.set 0 (i64.add (local.get 0) (i64.const 1)))
                (br_if 0 (i64.lt_u (local.get 0) (i64.const 100000000000)))))",
            )),
        ),
        Case::new("a start function that traps", after(&many(1, "(start $s) (func $s (unreachable))")), TRAP),
        Case::new(
            "a start function without end of recursion",
            after(&many(1, "(start $s) (func $s (call $s) (call $s))")),
            Expected::Ends(&["Sandbox.StackOverflow"]),
        ),
        Case::new("seven memories of 8 MiB", after(&many(7, "(memory 128)")), memory),
        Case::new(
            "seven memories that grow in their start functions",
            after(&many(7, "(memory 1) (start $s) (func $s (drop (memory.grow (i32.const 100))))")),
            memory,
        ),
        Case::new("nine memories in nine instances", after(&many(9, "(memory 1)")), TOO_LARGE),
        Case::new(
            "fourteen tables of 10,000 entries",
            after(&many(14, "(table 10000 funcref)")),
            Expected::Ends(&["Sandbox.TableExceeded"]),
        ),
        Case::new(
            "seventeen tables in seventeen instances",
            after(&many(17, "(table 1 funcref)")),
            TOO_LARGE,
        ),
        Case::new("a 64-bit memory of a page", after(&many(1, "(memory i64 1)")), HI),
        Case::new("a 64-bit memory of 2^48 bytes", after(&many(1, "(memory i64 0x100000000)")), TOO_LARGE),
        Case::new(
            "a 64-bit memory that grows by 2^47 pages",
            after(&many(
                1,
                "(memory i64 1) (start $s) (func $s (drop (memory.grow (i64.const 0x7fffffffffff))))",
            )),
            memory,
        ),
        Case::new(
            "a 64-bit memory that is read far beyond",
            after(&many(
                1,
                "(memory i64 1) (start $s) (func $s (drop (i64.load offset=0xffffffff (i64.const -1))))",
            )),
            TRAP,
        ),
        Case::new("sixty-five instances", after(&many(65, "")), TOO_LARGE),
        Case::new("999 instances", after(&many(990, "")), TOO_LARGE),
        Case::new("two thousand instances", after(&many(2_000, "")), TOO_LARGE),
        Case::new(
            "instances of many globals",
            after(&many(40, &"(global (mut i64) (i64.const 1))".repeat(10_000))),
            Expected::Bounded,
        ),
    ]
}

/// Components in components: `depth` of them, built from the inside.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(of_sections(&[]), |inner, _| of_sections(&[section(4, &inner)]))
}

/// A component of 2^`depth` instances.
pub(super) fn doubling_instances(depth: usize) -> Vec<u8> {
    let components: String = (1..=depth)
        .map(|level| {
            let below = level - 1;
            format!(
                "(component $c{level} (alias outer 1 $c{below} (component $c{below}))
                    (instance (instantiate $c{below})) (instance (instantiate $c{below})))"
            )
        })
        .collect();
    after(&format!(
        "(component $c0 (core module $m) (core instance (instantiate $m))) {components} (instance (instantiate $c{depth}))"
    ))
}

/// Like `nested`, where each says what is in it, so that its handler is inside of the outermost.
fn shapes() -> Vec<Case> {
    let doubling = |levels: usize| {
        let types: String =
            (1..levels).map(|level| format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1)).collect();
        format!("(type $t0 (tuple u8 u8)) {types}")
    };
    let list: String = (1..200).map(|level| format!("(type $l{level} (list $l{}))", level - 1)).collect();
    let fields: String = (0..9_000).map(|number| format!(r#"(field "f{number}" u8)"#)).collect();
    let params: String = (0..900).map(|number| format!(r#"(param "p{number}" string)"#)).collect();
    vec![
        Case::new(
            "a component in a component, 90 deep",
            nested(90),
            Expected::Refused(&["MissingExport", "DoesNotValidate"]),
        ),
        Case::new(
            "a component in a component, 3,000 deep",
            nested(3_000),
            Expected::Refused(&["MissingExport", "DoesNotValidate"]),
        ),
        Case::new(
            "types that double twenty times",
            wat(&format!("(component {} {HANDLER})", doubling(20))),
            Expected::Refused(&["DoesNotValidate", "DoesNotLink"]),
        ),
        Case::new(
            "types that double forty times",
            wat(&format!("(component {} {HANDLER})", doubling(40))),
            Expected::Refused(&["DoesNotValidate"]),
        ),
        Case::new(
            "a list in a list, 200 deep",
            wat(&format!("(component (type $l0 (list u8)) {list} {HANDLER})")),
            Expected::Refused(&["DoesNotValidate", "DoesNotLink"]),
        ),
        Case::new("a record of 9,000 fields", after(&format!("(type (record {fields}))")), Expected::Bounded),
        Case::new(
            "a function of 900 parameters",
            after(&format!("(type (func {params}))")),
            Expected::Bounded,
        ),
        Case::new("components that instantiate each other twice, 10 deep", doubling_instances(10), TOO_LARGE),
        Case::new("a thousand components", after(&"(component)".repeat(999)), Expected::Bounded),
        Case::new(
            "a thousand and some components",
            after(&"(component)".repeat(1_001)),
            Expected::Refused(&["DoesNotValidate"]),
        ),
        Case::new(
            "100,000 types of a component",
            of_sections(&[section(7, &[leb(100_000), vec![0x7f; 100_000]].concat())]),
            Expected::Refused(&["MissingExport"]),
        ),
    ]
}

/// Modules that come back into themselves through another.
fn reentrance() -> Vec<Case> {
    let inner = r#"
        (core module $a (func (export "g")))
        (core instance $a (instantiate $a))
        (func $g (canon lift (core func $a "g")))
        (component $child
            (import "g" (func $g))
            (core func $g' (canon lower (func $g)))
            (core module $c (import "" "g" (func $g)) (func (export "f") (call $g)))
            (core instance $c (instantiate $c (with "" (instance (export "g" (func $g'))))))
            (func (export "f") (canon lift (core func $c "f"))))
        (instance $child (instantiate $child (with "g" (func $g))))
        (core func $f (canon lower (func $child "f")))"#;
    let with = r#"(with "child" (instance (export "f" (func $f))))"#;
    let import = r#"(import "child" "f" (func $f))"#;
    let spin = inner.replace(r#"(func (export "f") (call $g))"#, r#"(func (export "f") (loop (br 0)))"#);
    vec![
        Case::new(
            "a component that comes back into itself",
            handler(inner, import, with, "", "(call $f)"),
            TRAP,
        ),
        Case::new(
            "the same from cabi_realloc's place in the call",
            handler(inner, import, with, "(func $s (call $f)) (start $s)", ""),
            Expected::Bounded,
        ),
        // A child may not be entered from its parent's code while the parent runs: it does not come to loop.
        Case::new("a loop in a child", handler(&spin, import, with, "", "(call $f)"), TRAP),
    ]
}

/// Handles of the module's own resources.
fn resources() -> Vec<Case> {
    let own = r"(type $r (resource (rep i32))) (core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
        (core func $rep (canon resource.rep $r))";
    let with = r#"(with "r" (instance (export "new" (func $new)) (export "drop" (func $drop)) (export "rep" (func $rep))))"#;
    let imports = r#"(import "r" "new" (func $new (param i32) (result i32))) (import "r" "drop" (func $drop (param i32)))
        (import "r" "rep" (func $rep (param i32) (result i32)))"#;
    let case =
        |name: &str, run: &str, expected| Case::new(name, handler(own, imports, with, "", run), expected);
    let looping = r#"(core module $d (func (export "dtor") (param i32) (loop (br 0)))) (core instance $d (instantiate $d))
        (type $r (resource (rep i32) (dtor (func $d "dtor")))) (core func $new (canon resource.new $r))
        (core func $drop (canon resource.drop $r)) (core func $rep (canon resource.rep $r))"#;
    vec![
        case("resources of its own without end", "(loop (drop (call $new (i32.const 1))) (br 0))", TRAP),
        case("a handle that there is not", "(call $drop (i32.const 77))", TRAP),
        case(
            "a handle that is dropped twice",
            "(local i32) (local.set 2 (call $new (i32.const 1))) (call $drop (local.get 2)) (call $drop (local.get 2))",
            TRAP,
        ),
        case("the content of a handle that there is not", "(drop (call $rep (i32.const -1)))", TRAP),
        Case::endless(
            "a destructor that loops",
            handler(looping, imports, with, "", "(call $drop (call $new (i32.const 1)))"),
        ),
        Case::new(
            "destructors that loop, left to the host",
            handler(looping, imports, with, "", "(drop (call $new (i32.const 1)))"),
            HI,
        ),
    ]
}

/// Imports and exports that are not what they are called.
fn names() -> Vec<Case> {
    let export = |name: &str| wat(&format!(r#"(component (instance $i) (export "{name}" (instance $i)))"#));
    let import = |import: &str| wat(&format!("(component {import} {HANDLER})"));
    let missing = Expected::Refused(&["MissingExport"]);
    vec![
        Case::new("a handler without a function", wat(&format!("(component {HANDLER})")), WRONG),
        Case::new(
            "a handler that is a component",
            wat(r#"(component (component $c) (export "stepwell:task/handler@0.1.0" (component $c)))"#),
            TOO_LARGE,
        ),
        Case::new("a handler of a version to come", export("stepwell:task/handler@9.0.0"), WRONG),
        Case::new("a handler of almost the right name", export("stepwell:task/handlers@0.1.0"), missing),
        Case::new("a program that is no program", export("wasi:cli/run@0.2.0"), WRONG),
        Case::new("a web server that is none", export("wasi:http/incoming-handler@0.2.0"), WRONG),
        Case::new(
            "everything at once",
            wat(r#"(component (instance $i) (export "stepwell:task/handler@0.1.0" (instance $i))
                (export "wasi:cli/run@0.2.0" (instance $i)) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))"#),
            WRONG,
        ),
        Case::new(
            "a function of WASI with another type",
            import(
                r#"(import "wasi:random/random@0.2.0" (instance (export "get-random-bytes" (func (param "len" string)))))"#,
            ),
            WRONG,
        ),
        Case::new(
            "a function that WASI does not have",
            import(r#"(import "wasi:cli/environment@0.2.0" (instance (export "set-environment" (func))))"#),
            WRONG,
        ),
        Case::new(
            "an interface that WASI does not have",
            import(r#"(import "wasi:cli/shell@0.2.0" (instance (export "run" (func))))"#),
            WRONG,
        ),
        Case::new(
            "outgoing requests without a grant",
            import(r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#),
            Expected::Refused(&["NotGranted"]),
        ),
        Case::new(
            "an interface of another",
            import(r#"(import "acme:db/query@1.0.0" (instance))"#),
            Expected::Refused(&["UnknownImport"]),
        ),
        Case::new(
            "an import by a plain name",
            import(r#"(import "secrets" (func))"#),
            Expected::Refused(&["UnknownImport"]),
        ),
        Case::new(
            "an import of a module",
            import(r#"(import "wasi:cli/x@0.2.0" (instance (export "m" (core module))))"#),
            WRONG,
        ),
        Case::new(
            "an import of a URL",
            import(r#"(import "url=<https://example.com/x.wasm>" (component))"#),
            Expected::Refused(&["UnknownImport", "DoesNotValidate"]),
        ),
    ]
}
