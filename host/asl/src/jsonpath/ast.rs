//! What a JSONPath text means once parsed: steps, filters, operands. It also renders steps back to Jayway's
//! normalised notation (`$['a'][0]`), which error messages quote. Must never look at a document.

use serde_json::Value;

use super::decimal::Numeric;
use super::functions::Function;
use super::pattern::Pattern;

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// `$`: the document.
    Document,
    /// `@`: the node that a filter looks at.
    Item,
}

/// A parsed path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) anchor: Anchor,
    pub(super) steps: Vec<Step>,
    /// How many steps from the start are definite. Equal to `steps.len()` when the whole path is.
    pub(super) definite_prefix: usize,
}

/// One step of a path: from a node to zero, one or many others.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// `.name`, `['name']`
    Name { name: String, quote: char },
    /// `['a','b']`: one merged object at the end of a path, a union elsewhere.
    Names { names: Vec<String>, quote: char },
    /// `[0]`, `[-1]`
    Index(i64),
    /// `[0,2]`
    Indexes(Vec<i64>),
    /// `[1:]`, `[:2]`, `[1:2]`; at least one end is given.
    Slice { from: Option<i64>, to: Option<i64> },
    /// `.*`, `[*]`
    Wildcard,
    /// `..`: the node and everything below it, for the step that follows.
    Scan,
    /// `[?(...)]`
    Filter(Predicate),
    /// `.length()`
    Function(Call),
}

/// A call of a function in a path.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    /// `None` when no such function exists, which Jayway reports only when the path is evaluated.
    pub(super) function: Option<Function>,
    pub(super) parameters: Vec<Parameter>,
    /// For `length($.a)`: `$.a[*]`, what it counts.
    pub(super) counted: Option<Box<Path>>,
}

/// A parameter of a function call.
#[derive(Debug, Clone)]
pub(super) enum Parameter {
    /// A path, evaluated on the whole document.
    Path(Path),
    /// A JSON literal, or why it is not one (reported when the path is evaluated).
    Json(Result<Value, String>),
}

/// The condition of a filter.
#[derive(Debug, Clone)]
pub(super) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    /// `@.a` (expected to be found) or `!@.a` (expected not to be).
    Exists {
        path: Path,
        expected: bool,
    },
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// `slot` numbers the paths that start at the document: their value is computed once an evaluation.
    Path {
        path: Path,
        slot: Option<usize>,
    },
    Null,
    Bool(bool),
    Number(Numeric),
    Text(String),
    Json(Value),
    Pattern(Pattern),
}

/// The relational operators of Jayway's filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    StrictEqual,
    NotEqual,
    StrictNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    Size,
    Empty,
    SubsetOf,
    AnyOf,
    NoneOf,
    Exists,
    /// `all`, `type` and `matches` need operands that no path text can write: they never hold.
    Never,
}

impl Operator {
    /// Reads an operator; words are case-insensitive.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "==" => Self::Equal,
            "===" => Self::StrictEqual,
            "!=" => Self::NotEqual,
            "!==" => Self::StrictNotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "=~" => Self::Matches,
            "in" => Self::In,
            "nin" => Self::NotIn,
            "contains" => Self::Contains,
            "size" => Self::Size,
            "empty" => Self::Empty,
            "subsetof" => Self::SubsetOf,
            "anyof" => Self::AnyOf,
            "noneof" => Self::NoneOf,
            "exists" => Self::Exists,
            "all" | "type" | "matches" => Self::Never,
            _ => return None,
        })
    }
}

impl Path {
    /// Builds a path and moves a function behind a leading scan to the front, as Jayway does:
    /// `$..price.sum()` is `$.sum($..price)`, one number, not one sum for each price.
    pub(super) fn new(anchor: Anchor, mut steps: Vec<Step>) -> Self {
        let scans = matches!(steps.first(), Some(Step::Scan));
        if scans && matches!(steps.last(), Some(Step::Function(_))) {
            let at = steps.iter().position(|step| matches!(step, Step::Function(_))).unwrap_or(0);
            let mut outer = steps.split_off(at);
            if let Some(Step::Function(call)) = outer.first_mut() {
                let parameter = Parameter::Path(Self::plain(anchor, steps));
                *call = Call::new(std::mem::take(&mut call.name), vec![parameter]);
            }
            return Self::plain(anchor, outer);
        }
        Self::plain(anchor, steps)
    }

    fn plain(anchor: Anchor, steps: Vec<Step>) -> Self {
        let last = steps.len().saturating_sub(1);
        let definite = |(at, step): (usize, &Step)| step.is_definite(at == last);
        let definite_prefix = steps.iter().enumerate().take_while(|pair| definite(*pair)).count();
        Self { anchor, steps, definite_prefix }
    }

    /// The path with a wildcard behind it, unless it has no steps or ends in a function.
    fn children(&self) -> Self {
        let mut steps = self.steps.clone();
        if steps.last().is_some_and(|step| !matches!(step, Step::Function(_))) {
            steps.push(Step::Wildcard);
        }
        Self::plain(self.anchor, steps)
    }

    pub(super) fn is_definite(&self) -> bool {
        self.definite_prefix == self.steps.len()
    }

    /// Renders the anchor and all steps.
    pub(super) fn render(&self) -> String {
        let mut text = self.anchor_text().to_owned();
        text.push_str(&render_steps(&self.steps));
        text
    }

    /// Renders where the first `count` steps lead, the way Jayway writes it while it evaluates: single
    /// quotes throughout, and nothing for a function.
    pub(super) fn location(&self, count: usize) -> String {
        let mut text = self.anchor_text().to_owned();
        for step in self.steps.iter().take(count) {
            match step {
                Step::Name { name, .. } => {
                    text.push_str("['");
                    text.push_str(name);
                    text.push_str("']");
                }
                Step::Function(_) => {}
                Step::Names { .. }
                | Step::Index(_)
                | Step::Indexes(_)
                | Step::Slice { .. }
                | Step::Wildcard
                | Step::Scan
                | Step::Filter(_) => text.push_str(&step.render()),
            }
        }
        text
    }

    fn anchor_text(&self) -> &'static str {
        match self.anchor {
            Anchor::Document => "$",
            Anchor::Item => "@",
        }
    }
}

impl Call {
    pub(super) fn new(name: String, parameters: Vec<Parameter>) -> Self {
        let function = Function::named(&name);
        let counted = match (function, parameters.first()) {
            (Some(Function::Length), Some(Parameter::Path(path))) => Some(Box::new(path.children())),
            _ => None,
        };
        Self { name, function, parameters, counted }
    }
}

/// Renders steps one after the other.
pub(super) fn render_steps(steps: &[Step]) -> String {
    steps.iter().map(Step::render).collect()
}

impl Step {
    /// Tells whether the step leads to one node at most. `last` = the step ends its path.
    fn is_definite(&self, last: bool) -> bool {
        match self {
            Self::Name { .. } | Self::Index(_) | Self::Function(_) => true,
            Self::Names { .. } => last,
            Self::Indexes(_) | Self::Slice { .. } | Self::Wildcard | Self::Scan | Self::Filter(_) => false,
        }
    }

    /// Renders the step in Jayway's notation.
    pub(super) fn render(&self) -> String {
        let end = |bound: &Option<i64>| bound.map_or_else(String::new, |value| value.to_string());
        match self {
            Self::Name { name, quote } => format!("[{quote}{name}{quote}]"),
            Self::Names { names, quote } => {
                let quoted: Vec<String> = names.iter().map(|name| format!("{quote}{name}{quote}")).collect();
                format!("[{}]", quoted.join(","))
            }
            Self::Index(index) => format!("[{index}]"),
            Self::Indexes(indexes) => {
                let texts: Vec<String> = indexes.iter().map(i64::to_string).collect();
                format!("[{}]", texts.join(","))
            }
            Self::Slice { from, to } => format!("[{}:{}]", end(from), end(to)),
            Self::Wildcard => "[*]".to_owned(),
            Self::Scan => "..".to_owned(),
            Self::Filter(_) => "[?]".to_owned(),
            Self::Function(call) if call.parameters.is_empty() => format!(".{}()", call.name),
            Self::Function(call) => format!(".{}(...)", call.name),
        }
    }
}
