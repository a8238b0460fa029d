//! Expressions that want to take everything: each must end with a value or a clear error, within its bound, and leave
//! the evaluator as it was.

mod common;

use std::time::{Duration, Instant};
use stepwell_asl::jsonata::EvaluationError;

/// Longest time of one expression. The bound is one of work, not of time: this leaves room for a slow, busy machine.
const LONGEST: Duration = Duration::from_secs(30);

const DOUBLING: &str = "$d := function($s, $n){ $n = 0 ? $s : $d($s & $s, $n - 1) }";

const EXPRESSIONS: &[(&str, &str)] = &[
    (
        "doubling a string",
        "($d := function($s, $n){ $n = 0 ? $s : $d($s & $s, $n - 1) }; $length($d('x', 60)))",
    ),
    (
        "doubling an array",
        "($d := function($s, $n){ $n = 0 ? $s : $d($append($s, $s), $n - 1) }; $count($d([1], 60)))",
    ),
    (
        "doubling an object",
        "($d := function($s, $n){ $n = 0 ? $s : $d({'a': $s, 'b': $s}, $n - 1) }; $d(1, 60))",
    ),
    (
        "doubling an object, shallow",
        "($d := function($s, $n){ $n = 0 ? $s : $d({'a': $s, 'b': $s}, $n - 1) }; $d(1, 40).a.a.a)",
    ),
    (
        "$string of shared parts",
        "($d := function($s, $n){ $n = 0 ? $s : $d([$s, $s], $n - 1) }; $length($string($d('x', 60))))",
    ),
    (
        "equality of shared parts",
        "($d := function($s, $n){ $n = 0 ? $s : $d({'a': $s, 'b': $s}, $n - 1) }; $d(1, 60) = $d(1, 60))",
    ),
    (
        "** of shared parts",
        "($d := function($s, $n){ $n = 0 ? $s : $d({'a': $s, 'b': $s}, $n - 1) }; $count($d(1, 60).**))",
    ),
    (
        "$distinct of shared parts",
        "($d := function($s, $n){ $n = 0 ? $s : $d({'a': $s, 'b': $s}, $n - 1) }; $count($distinct([$d(1, 60), $d(1, 60)])))",
    ),
    ("recursion", "($f := function($n){ 1 + $f($n + 1) }; $f(0))"),
    ("recursion in an object", "($f := function($n){ {'a': $f($n + 1)} }; $f(0))"),
    ("recursion through $map", "($f := function($n){ $map([$n], $f) }; $f(0))"),
    ("recursion through $reduce", "($f := function($a, $b){ $reduce([1, 2], $f) }; $f(0, 0))"),
    ("mutual recursion", "($f := function($n){ [$g($n)] }; $g := function($n){ [$f($n)] }; $f(0))"),
    ("tail calls without end", "($f := function($n){ $f($n + 1) }; $f(0))"),
    (
        "mutual tail calls",
        "($f := function($n, $g){ $g($n, $f) }; $h := function($n, $g){ $g($n, $h) }; $f(0, $h))",
    ),
    ("the Y combinator", "(function($g){ $g($g) })(function($g){ 1 + $g($g) })"),
    ("Fibonacci", "($f := function($n){ $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(60))"),
    (
        "Ackermann",
        "($a := function($m, $n){ $m = 0 ? $n + 1 : $n = 0 ? $a($m - 1, 1) : $a($m - 1, $a($m, $n - 1)) }; $a(4, 4))",
    ),
    ("$pad", "$length($pad('x', 4000000000, 'y'))"),
    ("$pad to the left", "$length($pad('x', -1e300))"),
    ("$formatNumber", "$formatNumber(1, $pad('0', 100000000, '0'))"),
    ("$formatInteger", "$formatInteger(1e300, 'w')"),
    ("$formatInteger in Roman", "$length($formatInteger(9e15, 'I'))"),
    ("$formatInteger, long picture", "$formatInteger(1, $pad('0', 50000000, '0'))"),
    ("$fromMillis", "$fromMillis(1, '[Y,*-100000000]')"),
    ("$fromMillis, wide", "$length($fromMillis(1, '[Y,1000000000-1000000000]'))"),
    ("$fromMillis, long picture", "$length($fromMillis(1, $join([1..300000].'[Y][M][D]')))"),
    ("$fromMillis, far", "$fromMillis(1e300)"),
    ("$toMillis", "$toMillis($pad('1', 1000000, '1'), '[Y]')"),
    ("a long range", "$count([1..10000000])"),
    ("too long a range", "$count([1..1e300])"),
    ("ranges of ranges", "$count([1..3000].[1..3000])"),
    ("$range", "$count($range(1, 9e15, 1))"),
    ("$partition", "$count($partition([1..1000000], 1))"),
    ("regular expression", "$match($pad('a', 100000, 'a'), /(a+)+$/)"),
    ("regular expression of repeats", "$match('aaaa', /((((a{1,100}){1,100}){1,100}){1,100})/)"),
    ("$replace", "$length($replace($pad('', 100000, 'a'), 'a', $pad('', 100000, 'b')))"),
    ("$replace without end", "$replace($pad('', 1000000, 'a'), /a/, function($m){ $uuid() })"),
    ("$split", "$count($split($pad('', 50000000, 'a'), ''))"),
    ("$join", "$length($join([1..100000], $pad('', 100000, 'x')))"),
    ("$match", "$count($match($pad('', 3000000, 'a'), /a/))"),
    ("$sort with a comparator that lies", "$count($sort([1..200000], function($a, $b){ $random() > 0.5 }))"),
    (
        "$sort with a comparator that recurses",
        "$sort([1..1000], function($a, $b){ $count($sort([1..1000], function($c, $d){ $c < $d })) > 0 })",
    ),
    ("** of **", "[1..50].{'a': {'b': {'c': $}}}.**.**.**"),
    ("products of paths", "($a := [1..1000]; $count($a.($b := $; $a.($c := $; $a.($b + $c)))))"),
    ("$reduce", "$length($reduce([1..1000000], function($a, $b){ $a & $string($b) & $a }, ''))"),
    ("$reduce that nests", "$reduce([1..100000], function($a, $b){ [$a] }, [])"),
    ("$reduce that nests objects", "$string($reduce([1..100000], function($a, $b){ {'a': $a} }, {}))"),
    ("$zip", "$count($zip([1..1000000], [1..1000000], [1..1000000], [1..1000000]))"),
    ("$spread", "$count($spread([1..300000].{'a': $, 'b': $, 'c': $}))"),
    ("$merge", "$count($keys($merge([1..500000].{$string($): $})))"),
    ("grouping", "[1..500000]{$string($ % 100000): $}"),
    ("$each", "$each($merge([1..100000].{$string($): $}), function($v, $k){ [1..1000] })"),
    ("$sift", "$sift($merge([1..300000].{$string($): $}), function($v, $k, $o){ $count($keys($o)) > 0 })"),
    ("transform", "$merge([1..100000].{$string($): {}}) ~> |*|{'a': [1..1000]}|"),
    ("$eval", "$eval('1')"),
    ("a large power", "$power(10, 1e300)"),
    ("a large number", "1e308 * 10"),
    ("base 2", "$formatBase(1e300, 2)"),
    ("$hash", "$hash($pad('', 100000000, 'x'), 'SHA-512')"),
    ("$parse of much", "$parse('[' & $join([1..3000000], ',') & ']')"),
    ("$parse of deep", "$parse($pad('', 10000000, '['))"),
    ("$parse of deep and whole", "$parse($pad('', 50000, '[') & $pad('', 50000, ']'))"),
    ("$base64encode", "$length($base64encode($pad('', 150000000, 'x')))"),
    ("$encodeUrl", "$length($encodeUrl($pad('', 80000000, 'é')))"),
    ("$shuffle", "$count($shuffle([1..3000000]))"),
    (
        "composition",
        "($f := $reduce([1..100000], function($a, $b){ $a ~> $uppercase }, $lowercase); $f('a'))",
    ),
    ("an answer that is too long", "[1..2000000]"),
];

/// Expressions that are too long to write down.
fn generated() -> Vec<(&'static str, String)> {
    let repeated = |text: &str, times| text.repeat(times);
    vec![
        ("deep parentheses", repeated("(", 200_000) + "1" + &repeated(")", 200_000)),
        ("deep arrays", repeated("[", 100_000) + &repeated("]", 100_000)),
        ("unclosed arrays", repeated("[", 1_000_000)),
        ("deep objects", repeated("{'a':", 100_000) + "1" + &repeated("}", 100_000)),
        ("deep conditions", repeated("1?", 200_000) + "1"),
        ("deep functions", repeated("function(){", 50_000) + "1" + &repeated("}", 50_000)),
        ("many signs", repeated("-", 500_000) + "1"),
        ("a long sum", "1".to_owned() + &repeated("+1", 300_000)),
        ("a long path", "a".to_owned() + &repeated(".a", 300_000)),
        ("a long chain", "1".to_owned() + &repeated("~>$string", 100_000)),
        ("a long string", format!("$length('{}')", repeated("x", 1_000_000))),
        ("a long array", format!("$count([{}])", repeated("1,", 300_000) + "1")),
        ("a long block", format!("({})", repeated("$a:=1;", 150_000))),
        ("an expression over the bound", repeated("1", 1_048_577)),
        ("a regular expression that is long", format!("$match('a', /{}/)", repeated("(a?)", 200_000))),
        ("a doubling that is caught", format!("({DOUBLING}; $length($d('x', 24)))")),
    ]
}

#[test]
fn hostile_expressions() {
    common::jsonata().warm().unwrap();
    let mut faults = 0;
    let fixed = EXPRESSIONS.iter().map(|(name, expression)| (*name, (*expression).to_owned()));
    for (name, expression) in fixed.chain(generated()) {
        let started = Instant::now();
        let outcome = common::evaluate(&expression);
        let took = started.elapsed();
        let told = match &outcome {
            Ok(value) => format!("{value:?}"),
            Err(error) => error.to_string(),
        };
        let shown: String = told.chars().take(110).collect();
        println!("{:>9.3} ms  {name}: {shown}", took.as_secs_f64() * 1000.0);
        assert!(took < LONGEST, "{name}");
        faults += usize::from(told.contains("evaluator failed"));
        // Whatever happened, the next call is served.
        assert_eq!(common::value("1 + 1"), 2, "{name}");
    }
    println!("{faults} faults of the evaluator, kept from the server");
}

#[test]
fn bounds_are_said() {
    let exceeded = |expression| match common::evaluate(expression) {
        Err(EvaluationError::Exceeded(text)) => text,
        other => panic!("{expression}: {other:?}"),
    };
    assert!(exceeded("($f := function($n){ $f($n + 1) }; $f(0))").contains("took too long"));
    assert!(exceeded("($f := function($s){ $f($append($s, $s)) }; $f([1]))").contains("256 MiB of memory"));
    assert!(exceeded("$pad('', 17000000, 'x')").contains("16 MiB"));
    // Recursion of some thousands of levels has an error of its own, and less than that works.
    let recursion = |depth| format!("($f := function($n){{ $n = 0 ? 0 : 1 + $f($n - 1) }}; $f({depth}))");
    assert_eq!(common::value(&recursion(2_900)), 2_900);
    assert!(common::error(&recursion(100_000)).starts_with("U1001"));
}

/// The outcome may not depend on what the instance did before.
#[test]
fn outcomes_do_not_depend_on_earlier_calls() {
    let expression = "($f := function($n){ $n = 0 ? $random() : $f($n - 1) }; $f(20000))";
    let first = common::evaluate(expression);
    for other in ["[1..100000]", "$eval(", "($f := function($n){ $f($n) }; $f(0))", "$uuid()"] {
        drop(common::evaluate(other));
        assert_eq!(common::evaluate(expression), first, "after {other}");
    }
}
