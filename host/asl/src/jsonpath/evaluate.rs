//! Evaluates a path as a whole: what it gives for a document, and what all paths of one text share meanwhile.
//! Must never visit more nodes, nor copy more of the document, than its bounds allow.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use serde_json::{Map, Value};

use super::ast::Path;
use super::error::{PathError, PathErrorKind};
use super::limits::{MAX_COPIED_UNITS, MAX_VISITS};
use super::walk::Walk;

/// The nodes a path leads to.
pub(super) type Nodes<'d> = Vec<Cow<'d, Value>>;

/// How a path is evaluated.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mode {
    /// Every name must be there, also behind a wildcard: how Jayway tests whether a path exists.
    pub(super) strict: bool,
    /// Nobody will read the message of a missing node, so it is not written.
    pub(super) quiet: bool,
}

/// What one evaluation of a path text shares with the paths in its filters.
pub(super) struct Evaluation<'v> {
    pub(super) root: &'v Value,
    visits: Cell<u64>,
    copied: Cell<u64>,
    slots: Vec<OnceCell<Result<Cow<'v, Value>, PathError>>>,
}

impl<'v> Evaluation<'v> {
    pub(super) fn new(root: &'v Value, slots: usize) -> Self {
        Self {
            root,
            visits: Cell::new(0),
            copied: Cell::new(0),
            slots: (0..slots).map(|_| OnceCell::new()).collect(),
        }
    }

    /// Counts `nodes` visits.
    pub(super) fn visit(&self, nodes: usize) -> Result<(), PathError> {
        let visits = self.visits.get().saturating_add(u64::try_from(nodes).unwrap_or(u64::MAX));
        self.visits.set(visits);
        if visits > MAX_VISITS {
            return Err(too_large(format!("The path visits more than {MAX_VISITS} nodes")));
        }
        Ok(())
    }

    /// Returns what the path gives from `start`: one value if it is definite, else an array.
    pub(super) fn value<'d>(
        &self,
        path: &Path,
        start: &'d Value,
        mode: Mode,
    ) -> Result<Cow<'d, Value>, PathError> {
        let mut nodes = self.nodes(path, start, mode)?;
        if path.is_definite() {
            // Behind a function there may be two results, its own and that of the rest: the last one counts.
            return nodes.pop().ok_or_else(|| no_results(path));
        }
        for node in &nodes {
            self.copy(node)?;
        }
        Ok(Cow::Owned(nodes.into_iter().map(Cow::into_owned).collect()))
    }

    /// Returns the nodes the path leads to; a definite path leads to one at least.
    pub(super) fn nodes<'d>(
        &self,
        path: &Path,
        start: &'d Value,
        mode: Mode,
    ) -> Result<Nodes<'d>, PathError> {
        let mut nodes = Vec::new();
        let walk = Walk { evaluation: self, path, mode };
        walk.follow(0, start, &mut nodes)?;
        if nodes.is_empty() && path.is_definite() {
            return Err(if mode.quiet { unseen() } else { no_results(path) });
        }
        Ok(nodes)
    }

    /// Returns what a path from the document gives, computed once for each `slot`.
    pub(super) fn shared(&self, path: &Path, slot: usize, mode: Mode) -> Result<Cow<'_, Value>, PathError> {
        let Some(cell) = self.slots.get(slot) else { return self.value(path, self.root, mode) };
        match cell.get_or_init(|| self.value(path, self.root, mode)) {
            Ok(value) => Ok(Cow::Borrowed(value.as_ref())),
            Err(error) => Err(error.clone()),
        }
    }

    /// Counts what it costs to copy a value, before that is done: one unit for each node and each byte of text.
    pub(super) fn copy(&self, value: &Value) -> Result<(), PathError> {
        let mut open = vec![value];
        while let Some(next) = open.pop() {
            let keys = next.as_object().into_iter().flat_map(Map::keys).map(String::len).sum::<usize>();
            let units = 1 + next.as_str().map_or(keys, str::len);
            let copied = self.copied.get().saturating_add(u64::try_from(units).unwrap_or(u64::MAX));
            self.copied.set(copied);
            if copied > MAX_COPIED_UNITS {
                return Err(too_large(format!(
                    "The path copies more than {MAX_COPIED_UNITS} nodes and bytes"
                )));
            }
            open.extend(children(next));
        }
        Ok(())
    }
}

/// Returns the elements or the entries of a node.
pub(super) fn children(node: &Value) -> Box<dyn DoubleEndedIterator<Item = &Value> + '_> {
    match (node.as_array(), node.as_object()) {
        (Some(items), _) => Box::new(items.iter()),
        (None, Some(entries)) => Box::new(entries.values()),
        (None, None) => Box::new(std::iter::empty()),
    }
}

pub(super) fn no_results(path: &Path) -> PathError {
    PathError::new(PathErrorKind::NotFound, format!("No results for path: {}", path.render()))
}

/// The error of a missing node that nobody will see.
fn unseen() -> PathError {
    PathError::new(PathErrorKind::NotFound, "")
}

fn too_large(message: String) -> PathError {
    PathError::new(PathErrorKind::TooLarge, message)
}
