//! What an expression reads: which variables, and which members of them. Only those are handed to the evaluator, so
//! that a look at one field of a large input does not cost the whole of it.
//!
//! It may say more than is read, never less.

use jsonata_core::ast::{AstNode, PathStep, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// The functions of JSONata, and those of Step Functions: named without a call they are values, not variables.
const FUNCTIONS: [&str; 70] = [
    "abs",
    "append",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "clone",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "distinct",
    "each",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "eval",
    "exists",
    "filter",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "hash",
    "join",
    "keys",
    "length",
    "lookup",
    "lowercase",
    "map",
    "match",
    "max",
    "merge",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parse",
    "parseInteger",
    "partition",
    "power",
    "random",
    "range",
    "reduce",
    "replace",
    "reverse",
    "round",
    "shuffle",
    "sift",
    "single",
    "sort",
    "split",
    "spread",
    "sqrt",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
    "uuid",
    "zip",
];

/// What an expression reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Uses {
    /// By variable name, without `$`.
    variables: BTreeMap<String, Part>,
    /// Names that the expression binds itself.
    bound: BTreeSet<String>,
    /// The names of functions that it calls.
    functions: BTreeSet<String>,
    /// A name read of the top level, where there is nothing; empty for `$`.
    top_level: Option<String>,
    /// The whole expression is one variable and names after it.
    plain: Option<(String, Vec<String>)>,
}

/// Which part of a value is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// These members, if it is an object; otherwise all of it.
    Members(BTreeMap<String, Part>),
}

impl Uses {
    /// Looks through a parsed expression.
    pub(super) fn of(tree: &AstNode) -> Uses {
        let mut uses = Uses::default();
        // Parents (`%`) look back along a path: then nothing can be left out.
        let mut looks_back = false;
        // Nodes to look at; whether `$` and names mean something there that the expression gave them.
        let mut nodes = vec![(tree, false)];
        while let Some((node, inner)) = nodes.pop() {
            looks_back |= matches!(node, AstNode::Parent(_));
            uses.visit(node, inner, &mut nodes);
        }
        if looks_back {
            uses.variables.values_mut().for_each(|part| *part = Part::Whole);
        }
        uses.plain = plain(tree);
        uses
    }

    /// The part of a variable that is read; `None` where it is not read, or means something of the expression's own.
    pub(crate) fn part(&self, variable: &str) -> Option<&Part> {
        self.variables.get(variable)
    }

    /// Every variable read that the expression does not bind itself.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let names = self.variables.keys().map(String::as_str);
        names.filter(|name| !self.bound.contains(*name) && !FUNCTIONS.contains(name))
    }

    /// Every name that a variable of the workflow could stand behind: called functions too.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &Part)> {
        let called = self.functions.iter().filter(|name| !self.variables.contains_key(*name));
        let variables = self.variables.iter().map(|(name, part)| (name.as_str(), part));
        variables.chain(called.map(|name| (name.as_str(), &Part::Whole)))
    }

    pub(crate) fn calls(&self, function: &str) -> bool {
        self.functions.contains(function) || self.variables.contains_key(function)
    }

    pub(crate) fn binds(&self, name: &str) -> bool {
        self.bound.contains(name)
    }

    /// A name that is read of the top level, where nothing is; empty for `$` itself.
    pub(crate) fn top_level(&self) -> Option<&str> {
        self.top_level.as_deref()
    }

    /// The variable and the names after it, where the expression is nothing else.
    pub(super) fn plain(&self) -> Option<(&str, &[String])> {
        self.plain.as_ref().map(|(variable, names)| (variable.as_str(), names.as_slice()))
    }

    fn visit<'t>(&mut self, node: &'t AstNode, inner: bool, nodes: &mut Vec<(&'t AstNode, bool)>) {
        let mut push = |node: &'t AstNode| nodes.push((node, inner));
        match node {
            AstNode::Variable(name) if name.is_empty() => self.reads_top_level("", inner),
            AstNode::ParentVariable(_) => self.reads_top_level("", false),
            AstNode::Variable(name) => self.reads(name, &[]),
            AstNode::Name(name) => self.reads_top_level(name, inner),
            AstNode::Path { steps } => self.visit_path(steps, inner, nodes),
            AstNode::Binary { op, lhs, rhs } => {
                match (op, lhs.as_ref()) {
                    (jsonata_core::ast::BinaryOp::ColonEqual, AstNode::Variable(name)) => {
                        self.bound.insert(name.clone());
                    }
                    _ => push(lhs),
                }
                push(rhs);
            }
            AstNode::Unary { operand, .. } => push(operand),
            AstNode::Function { name, args, .. } => {
                self.functions.insert(name.clone());
                args.iter().for_each(push);
            }
            AstNode::Call { procedure, args } => {
                push(procedure);
                args.iter().for_each(push);
            }
            AstNode::Lambda { params, body, .. } => {
                self.bound.extend(params.iter().cloned());
                push(body);
            }
            AstNode::Array(items) | AstNode::Block(items) | AstNode::ArrayGroup(items) => {
                items.iter().for_each(push);
            }
            AstNode::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                push(key);
                push(value);
            }),
            AstNode::ObjectTransform { input, pattern } => {
                push(input);
                nodes.extend(pattern.iter().flat_map(|(key, value)| [(key, true), (value, true)]));
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                push(condition);
                push(then_branch);
                else_branch.as_deref().into_iter().for_each(push);
            }
            AstNode::FunctionApplication(body) => push(body),
            AstNode::Sort { input, terms } => {
                push(input);
                nodes.extend(terms.iter().map(|(term, _)| (term, true)));
            }
            AstNode::Transform { location, update, delete } => {
                nodes.extend([(location.as_ref(), true), (update.as_ref(), true)]);
                nodes.extend(delete.iter().map(|node| (node.as_ref(), true)));
            }
            AstNode::String(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_) => {}
        }
    }

    fn visit_path<'t>(&mut self, steps: &'t [PathStep], inner: bool, nodes: &mut Vec<(&'t AstNode, bool)>) {
        let Some(first) = steps.first() else { return };
        if let Some(name) = named(&first.node) {
            self.reads(name, if is_plain(first) { &steps[1..] } else { &[] });
        } else {
            nodes.push((&first.node, inner));
        }
        for step in steps {
            self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
            for stage in &step.stages {
                match stage {
                    Stage::Filter(filter) => nodes.push((filter, true)),
                    Stage::Index(name) => drop(self.bound.insert(name.clone())),
                    Stage::KeepArray => {}
                }
            }
        }
        // A name after a dot is a field of what stands before it.
        let later = steps[1..].iter().map(|step| &step.node);
        nodes.extend(later.filter(|node| !matches!(node, AstNode::Name(_))).map(|node| (node, true)));
    }

    /// Notes a variable, and the members that the steps after it name.
    fn reads(&mut self, variable: &str, steps: &[PathStep]) {
        let mut part = self.variables.entry(variable.to_owned()).or_insert_with(Part::nothing);
        for step in steps {
            let AstNode::Name(name) = &step.node else { break };
            // A step that binds its focus (`@`) leaves the context as it was: what follows begins there again.
            if step.focus.is_some() {
                break;
            }
            part = match part {
                Part::Whole => return,
                Part::Members(members) => members.entry(name.clone()).or_insert_with(Part::nothing),
            };
            if !is_plain(step) {
                break;
            }
        }
        *part = Part::Whole;
    }

    fn reads_top_level(&mut self, name: &str, inner: bool) {
        if !inner && self.top_level.is_none() {
            self.top_level = Some(name.to_owned());
        }
    }
}

impl Part {
    fn nothing() -> Part {
        Part::Members(BTreeMap::new())
    }

    /// The part of one member; `None` where it is not read.
    pub(crate) fn member(&self, name: &str) -> Option<&Part> {
        match self {
            Part::Whole => Some(self),
            Part::Members(members) => members.get(name),
        }
    }
}

/// Whether a step selects and does nothing else.
fn is_plain(step: &PathStep) -> bool {
    step.stages.is_empty() && step.focus.is_none() && step.index_var.is_none() && !step.is_tuple
}

fn plain(tree: &AstNode) -> Option<(String, Vec<String>)> {
    if let Some(name) = named(tree) {
        return Some((name.to_owned(), Vec::new()));
    }
    let AstNode::Path { steps } = tree else { return None };
    let (first, rest) = steps.split_first()?;
    let variable = named(&first.node).filter(|_| steps.iter().all(is_plain))?;
    let names = rest.iter().map(|step| {
        let AstNode::Name(name) = &step.node else { return None };
        Some(name.clone())
    });
    Some((variable.to_owned(), names.collect::<Option<Vec<_>>>()?))
}

/// The name of a variable; `$` has none.
fn named(node: &AstNode) -> Option<&str> {
    let AstNode::Variable(name) = node else { return None };
    Some(name.as_str()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::expression::Expression;
    use super::*;

    fn shown(part: &Part) -> String {
        match part {
            Part::Whole => "*".to_owned(),
            Part::Members(members) => {
                let members: Vec<String> =
                    members.iter().map(|(name, part)| format!("{name}:{}", shown(part))).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn read(text: &str) -> String {
        let expression = Expression::parse(text).unwrap();
        let uses = expression.uses();
        let parts = uses.variables().map(|name| format!("{name}={}", shown(uses.part(name).unwrap())));
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_is_named_is_read() {
        for (text, expected) in [
            ("$states.input.a.b", "states={input:{a:{b:*}}}"),
            ("$states.input.a + $states.input.b[x > $limit.n].c", "limit={n:*} states={input:{a:*,b:*}}"),
            ("$states.input ~> |a|{'b': $v}|", "states={input:*} v=*"),
            ("$states.input.a and $states.input", "states={input:*}"),
            ("$states.input.a.b.%", "states=*"),
            ("$states.**.a", "states=*"),
            ("$keys($states.input)", "states={input:*}"),
            ("$states[0].input", "states=*"),
            ("$map($states.input.a, function($x, $i) { $x.b + $i + $y })", "states={input:{a:*}} y=*"),
            ("($x := $states.result; $x.a)", "states={result:*}"),
            ("$states.input.a@$p.b#$i.{'p': $p, 'i': $i}", "states={input:*}"),
            ("$states.input.a#$i.b", "states={input:{a:*}}"),
            ("$states.input.a.(b + $z)", "states={input:{a:*}} z=*"),
            ("$states.input.a^(>b, $k).c", "k=* states={input:{a:*}}"),
            ("$states.input{a: $q}", "q=* states={input:*}"),
            ("$map($v, $string) ~> $join", "v=*"),
            ("1 + 2", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn the_top_level_is_noticed() {
        for (text, expected) in [
            ("$", Some("")),
            ("$.a", Some("")),
            ("$$.a", Some("")),
            ("a.b", Some("a")),
            ("$sum(a)", Some("a")),
            ("$states.input.a.$", None),
            ("$states.input.a[$ > 1]", None),
            ("$states.input.a[b = 1].(c + d)", None),
            ("{'a': 'b'}", None),
            ("$states.input.`a b`", None),
        ] {
            let expression = Expression::parse(text).unwrap();
            assert_eq!(expression.uses().top_level(), expected, "{text}");
        }
    }

    #[test]
    fn plain_paths_are_known() {
        let plain = |text: &str| {
            let expression = Expression::parse(text).unwrap();
            expression.uses().plain().map(|(variable, names)| format!("{variable}/{}", names.join("/")))
        };
        assert_eq!(plain("$states.input.a"), Some("states/input/a".to_owned()));
        assert_eq!(plain("$v"), Some("v/".to_owned()));
        for text in ["$", "a.b", "$v[0]", "$v.a[]", "$v.*", "$v.a.%", "1", "$f()", "$v.a#$i"] {
            assert_eq!(plain(text), None, "{text}");
        }
    }
}
