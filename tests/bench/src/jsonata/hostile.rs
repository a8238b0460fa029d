//! Expressions that want to take everything: processor time, memory, the stack. None of them may come to a value.

/// An expression and what it tries.
#[derive(Clone, Copy, Debug)]
pub struct Hostile {
    /// What it tries.
    pub name: &'static str,
    /// The expression.
    pub expression: &'static str,
}

const fn hostile(name: &'static str, expression: &'static str) -> Hostile {
    Hostile { name, expression }
}

/// All of them. Some never end, some would after days, some ask for gigabytes or for a stack without end.
pub const EXPRESSIONS: [Hostile; 30] = [
    hostile("endless tail calls", "($f := function($n){ $f($n + 1) }; $f(0))"),
    hostile(
        "endless tail calls of two",
        "($a := function($n, $f){ $f($n + 1, $a) }; $b := function($n, $f){ $f($n + 1, $b) }; $a(0, $b))",
    ),
    hostile("endless strings", "($f := function($s){ $f($substring($s & 'ab', 1)) }; $f('abcdef'))"),
    hostile("Collatz", "($f := function($n){ $f($n % 2 = 0 ? $n / 2 : 3 * $n + 1) }; $f(27))"),
    hostile("Fibonacci", "($f := function($n){ $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(70))"),
    hostile("Hanoi", "($f := function($n){ $n = 0 ? 0 : $f($n - 1) + 1 + $f($n - 1) }; $f(60))"),
    hostile(
        "Ackermann",
        "($a := function($m, $n){ $m = 0 ? $n + 1 : $n = 0 ? $a($m - 1, 1) : $a($m - 1, $a($m, $n - 1)) }; $a(4, 3))",
    ),
    hostile("primes", "$count([2..20000][($n := $; $count([2..$n][$n % $ = 0]) = 1)])"),
    hostile(
        "maps in maps",
        "$sum($map([1..9000], function($a){ $count($map([1..9000], function($b){ $a * $b })) }))",
    ),
    hostile(
        "filters in filters",
        "$filter([1..9000], function($a){ $count($filter([1..9000], function($b){ $a > $b })) < 0 })",
    ),
    hostile(
        "sorts in sorts",
        "$sort([1..2000], function($a, $b){ $count($sort([1..2000], function($c, $d){ $c < $d })) > 0 })",
    ),
    hostile("paths in paths", "$sum([1..3000].($a := $; [1..3000].($a * $)))"),
    hostile("powers by descendants", "$count([1..9000].{'a': {'b': {'c': [1..300]}}}.**.**.**)"),
    hostile(
        "doubling strings",
        "($f := function($s, $n){ $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', 40)))",
    ),
    hostile(
        "doubling arrays",
        "($f := function($s, $n){ $n = 0 ? $s : $f($append($s, $s), $n - 1) }; $count($f([1], 40)))",
    ),
    hostile(
        "doubling objects",
        "($f := function($s, $n){ $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $string($f(1, 40)))",
    ),
    hostile(
        "comparing doubled objects",
        "($f := function($s, $n){ $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $f(1, 40) = $f(1, 40))",
    ),
    hostile(
        "descending doubled arrays",
        "($f := function($s, $n){ $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $count($f(1, 40).**))",
    ),
    hostile("growing text", "$length($reduce([1..1000000], function($a, $b){ $a & $string($b) & $a }, ''))"),
    hostile(
        "growing objects",
        "$reduce([1..100000], function($a, $b){ $merge([$a, {$string($b): $a}]) }, {})",
    ),
    hostile("recursion", "($f := function($n){ 1 + $f($n + 1) }; $f(0))"),
    hostile(
        "recursion of two",
        "($a := function($n){ [$b($n)] }; $b := function($n){ {'a': $a($n)} }; $a(0))",
    ),
    hostile("recursion through $map", "($f := function($n){ $map([$n, $n], $f) }; $f(0))"),
    hostile("the Y combinator", "(function($f){ $f($f) })(function($f){ 1 + $f($f) })"),
    hostile("a wide text", "$length($pad('x', 4000000000, 'y'))"),
    hostile("a long answer", "[1..3000000].{'number': $}"),
    hostile("pairs", "$count([1..5000].[1..5000])"),
    hostile("replacing by much", "$length($replace($pad('', 100000, 'a'), 'a', $pad('', 100000, 'b')))"),
    hostile("joining much", "$length($join([1..100000].$string(), $pad('', 100000, 'x')))"),
    hostile("grouping", "$count([1..2000000]{$string($ % 500000): $})"),
];
