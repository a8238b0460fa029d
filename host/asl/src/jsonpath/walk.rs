//! Follows the steps of one path from node to node. Results are references into the document wherever they
//! can be. Must never change the document, and recurses only at steps that branch.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ast::{Call, Parameter, Path, Predicate, Step, render_steps};
use super::error::{PathError, PathErrorKind};
use super::evaluate::{Evaluation, Mode, Nodes, children, no_results};
use super::filter;
use super::functions::{self, Function};
use super::java_text::{class_name, quoted};

/// One path on its way through one document.
pub(super) struct Walk<'e, 'v> {
    pub(super) evaluation: &'e Evaluation<'v>,
    pub(super) path: &'e Path,
    pub(super) mode: Mode,
}

impl Walk<'_, '_> {
    /// Follows the steps from number `at` on. Definite steps loop, so that only branching steps recurse.
    pub(super) fn follow<'d>(
        &self,
        mut at: usize,
        mut node: &'d Value,
        out: &mut Nodes<'d>,
    ) -> Result<(), PathError> {
        let mut behind_element = false;
        loop {
            self.evaluation.visit(1)?;
            let Some(step) = self.path.steps.get(at) else {
                out.push(Cow::Borrowed(node));
                return Ok(());
            };
            let next = match step {
                Step::Name { name, .. } => self.entry(at, name, node)?,
                Step::Index(index) => {
                    behind_element = true;
                    self.elements(at, node)?.and_then(|items| element(items, *index))
                }
                Step::Names { names, .. } => return self.names(at, names, node, out),
                Step::Indexes(indexes) => {
                    let items = self.elements(at, node)?.unwrap_or_default();
                    return self.each(at, indexes.iter().filter_map(|index| element(items, *index)), out);
                }
                Step::Slice { from, to } => {
                    let items = self.elements(at, node)?.unwrap_or_default();
                    return self.each(at, slice(items, *from, *to), out);
                }
                Step::Wildcard => return self.wildcard(at, node, out),
                Step::Scan => return self.scan(at, node, out),
                Step::Filter(predicate) => return self.filter(at, predicate, node, out),
                Step::Function(call) => {
                    let result = self.call(at, call, node, out);
                    return if behind_element { dropped(result) } else { result };
                }
            };
            let Some(found) = next else { return Ok(()) };
            node = found;
            at += 1;
        }
    }

    /// Follows the path from several elements of an array.
    fn each<'d>(
        &self,
        at: usize,
        nodes: impl Iterator<Item = &'d Value>,
        out: &mut Nodes<'d>,
    ) -> Result<(), PathError> {
        for node in nodes {
            dropped(self.follow(at + 1, node, out))?;
        }
        Ok(())
    }

    /// True when no step before `at` branches: only then is a missing node an error.
    fn single(&self, at: usize) -> bool {
        at <= self.path.definite_prefix
    }

    fn last(&self, at: usize) -> bool {
        at + 1 == self.path.steps.len()
    }

    fn missing(&self, message: impl FnOnce() -> String) -> PathError {
        self.error(PathErrorKind::NotFound, message)
    }

    fn error(&self, kind: PathErrorKind, message: impl FnOnce() -> String) -> PathError {
        PathError::new(kind, if self.mode.quiet { String::new() } else { message() })
    }

    fn object<'d>(&self, at: usize, node: &'d Value) -> Result<Option<&'d Map<String, Value>>, PathError> {
        let entries = node.as_object();
        if entries.is_none() && self.single(at) {
            return Err(self.missing(|| {
                format!(
                    "Expected to find an object with property {} in path {} but found '{}'. This is not a json \
                     object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'.",
                    self.path.steps.get(at).map(Step::render).unwrap_or_default(),
                    self.path.location(at),
                    class_name(node),
                )
            }));
        }
        Ok(entries)
    }

    fn entry<'d>(&self, at: usize, name: &str, node: &'d Value) -> Result<Option<&'d Value>, PathError> {
        let Some(entries) = self.object(at, node)? else { return Ok(None) };
        let found = entries.get(name);
        let optional = self.last(at) || at >= self.path.definite_prefix;
        if found.is_some() || (optional && !self.mode.strict) {
            return Ok(found);
        }
        let reason = if self.last(at) { "No results for path:" } else { "Missing property in path" };
        Err(self.missing(|| format!("{reason} {}['{name}']", self.path.location(at))))
    }

    fn names<'d>(
        &self,
        at: usize,
        names: &[String],
        node: &'d Value,
        out: &mut Nodes<'d>,
    ) -> Result<(), PathError> {
        if !self.last(at) {
            for name in names {
                if let Some(found) = self.entry(at, name, node)? {
                    self.follow(at + 1, found, out)?;
                }
            }
            return Ok(());
        }
        let Some(entries) = self.object(at, node)? else { return Ok(()) };
        let mut merged = Map::new();
        for name in names {
            match entries.get(name) {
                Some(found) => {
                    self.evaluation.copy(found)?;
                    merged.insert(name.clone(), found.clone());
                }
                None if self.mode.strict => {
                    return Err(
                        self.missing(|| format!("Missing property in path {}", self.path.location(at + 1)))
                    );
                }
                None => {}
            }
        }
        out.push(Cow::Owned(Value::Object(merged)));
        Ok(())
    }

    fn elements<'d>(&self, at: usize, node: &'d Value) -> Result<Option<&'d [Value]>, PathError> {
        if let Some(items) = node.as_array() {
            return Ok(Some(items));
        }
        if !self.single(at) {
            return Ok(None);
        }
        Err(self.missing(|| {
            if node.is_null() {
                return format!("The path {} is null", self.path.location(at));
            }
            let steps = render_steps(self.path.steps.get(at..).unwrap_or_default());
            format!("Filter: {steps} can only be applied to arrays. Current context is: {}", quoted(node))
        }))
    }

    fn wildcard<'d>(&self, at: usize, node: &'d Value, out: &mut Nodes<'d>) -> Result<(), PathError> {
        for entry in node.as_object().into_iter().flat_map(Map::values) {
            self.follow(at + 1, entry, out)?;
        }
        for item in node.as_array().into_iter().flatten() {
            match dropped(self.follow(at + 1, item, out)) {
                Err(error) if error.kind() == PathErrorKind::NotFound && !self.mode.strict => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// Applies the next step to the node and to everything below it, parents first.
    fn scan<'d>(&self, at: usize, node: &'d Value, out: &mut Nodes<'d>) -> Result<(), PathError> {
        let Some(target) = self.path.steps.get(at + 1) else {
            return Err(PathError::new(PathErrorKind::Failed, "Current path token is a leaf"));
        };
        let mut open = vec![node];
        while let Some(next) = open.pop() {
            self.evaluation.visit(1)?;
            if !next.is_object() && !next.is_array() {
                continue;
            }
            if self.scans(at + 1, target, next)? {
                self.follow(at + 1, next, out)?;
            }
            open.extend(children(next).rev());
        }
        Ok(())
    }

    /// Tells whether a scan stops at a node to apply its target there.
    fn scans(&self, at: usize, target: &Step, node: &Value) -> Result<bool, PathError> {
        let has = |name: &String| node.as_object().is_some_and(|entries| entries.contains_key(name));
        Ok(match target {
            Step::Name { name, .. } => has(name),
            Step::Names { names, .. } if self.last(at) => names.iter().all(has),
            Step::Names { .. } => node.is_object(),
            Step::Index(_) | Step::Indexes(_) | Step::Slice { .. } => node.is_array(),
            Step::Wildcard => true,
            Step::Filter(predicate) => filter::accepts(self.evaluation, predicate, node, self.mode)?,
            Step::Scan | Step::Function(_) => false,
        })
    }

    fn filter<'d>(
        &self,
        at: usize,
        predicate: &Predicate,
        node: &'d Value,
        out: &mut Nodes<'d>,
    ) -> Result<(), PathError> {
        if !node.is_object() && !node.is_array() && self.single(at) {
            return Err(self.error(PathErrorKind::Invalid, || {
                let steps = render_steps(self.path.steps.get(at..).unwrap_or_default());
                format!(
                    "Filter: {steps} can not be applied to primitives. Current context is: {}",
                    quoted(node)
                )
            }));
        }
        let accepts = |candidate| filter::accepts(self.evaluation, predicate, candidate, self.mode);
        if node.is_object() && accepts(node)? {
            self.follow(at + 1, node, out)?;
        }
        for item in node.as_array().into_iter().flatten() {
            if accepts(item)? {
                dropped(self.follow(at + 1, item, out))?;
            }
        }
        Ok(())
    }

    fn call<'d>(
        &self,
        at: usize,
        call: &Call,
        node: &'d Value,
        out: &mut Nodes<'d>,
    ) -> Result<(), PathError> {
        let Some(function) = call.function else {
            return Err(self.error(PathErrorKind::Invalid, || {
                format!("Function with name: {} does not exist.", call.name)
            }));
        };
        let mut given = Vec::with_capacity(call.parameters.len());
        for parameter in &call.parameters {
            given.push(match parameter {
                Parameter::Path(path) => self.evaluation.value(path, self.evaluation.root, self.mode)?,
                Parameter::Json(Ok(value)) => Cow::Borrowed(value),
                Parameter::Json(Err(message)) => return Err(PathError::new(PathErrorKind::Failed, message)),
            });
        }
        // A function may look at every element, and a filter may call it for each of many nodes.
        let elements = |value: &Value| value.as_array().map_or(0, Vec::len);
        let looked_at = elements(node) + given.iter().map(|value| elements(value)).sum::<usize>();
        self.evaluation.visit(looked_at)?;
        if function.copies() {
            self.evaluation.copy(node)?;
            given.iter().try_for_each(|value| self.evaluation.copy(value))?;
        }
        let result = match (&call.counted, call.parameters.first()) {
            (Some(counted), Some(Parameter::Path(original))) => {
                Cow::Owned(self.count(counted, original, node)?)
            }
            (None, Some(_)) if function == Function::Length => {
                return Err(PathError::new(
                    PathErrorKind::Failed,
                    "The parameter of length() has to be a path",
                ));
            }
            _ => function.apply(node, &given)?,
        };
        if self.last(at) {
            out.push(result);
            return Ok(());
        }
        let mut further = Vec::new();
        self.follow(at + 1, &result, &mut further)?;
        let mut copies: Nodes<'d> = Vec::with_capacity(further.len());
        for value in further {
            self.evaluation.copy(&value)?;
            copies.push(Cow::Owned(value.into_owned()));
        }
        out.push(result);
        out.append(&mut copies);
        Ok(())
    }

    /// `length(path)`: how many children the path has from `node` on. Behind a definite path Jayway looks at
    /// the last child only, and counts `node` itself unless that child is an array.
    fn count(&self, counted: &Path, original: &Path, node: &Value) -> Result<Value, PathError> {
        let found = self.evaluation.nodes(counted, node, self.mode)?;
        if !original.is_definite() {
            return Ok(Value::from(found.len()));
        }
        let last = found.last().ok_or_else(|| no_results(counted))?;
        Ok(functions::length(if last.is_array() { last.as_ref() } else { node }))
    }
}

/// Behind an element of an array Jayway takes a function's missing element for a missing element of that
/// array: it gives no result, so that `$.items[*].tags.first()` skips items without tags.
fn dropped(result: Result<(), PathError>) -> Result<(), PathError> {
    match result {
        Err(error) if error.kind() == PathErrorKind::OutOfBounds => Ok(()),
        other => other,
    }
}

/// Returns the element at `index`, from the end if negative.
fn element(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { i64::try_from(items.len()).ok()? + index } else { index };
    items.get(usize::try_from(index).ok()?)
}

/// Returns the elements of a slice. With both ends given, Jayway does not count them from the end of the
/// array: a negative index in between then wraps around, element by element.
fn slice(items: &[Value], from: Option<i64>, to: Option<i64>) -> impl Iterator<Item = &Value> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { length + index } else { index };
    let (first, end) = match (from, to) {
        (Some(from), Some(to)) => (from.max(-length), to.min(length)),
        (Some(from), None) => (from_end(from).max(0), length),
        (None, to) => (0, from_end(to.unwrap_or(length)).min(length)),
    };
    (first..end).filter_map(move |index| element(items, index))
}
