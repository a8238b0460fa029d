//! Parsed expressions, kept while the instance is warm.

use jsonata_core::ast::AstNode;
use jsonata_core::parser::{self, ParserError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Expressions that are kept at most. A state machine has tens; the cache starts anew when it is full.
const MAX_EXPRESSIONS: usize = 512;
/// Bytes of text whose expressions are kept at most: a parsed expression takes about fifty times its text.
const MAX_TEXT_BYTES: usize = 128 << 10;

#[derive(Default)]
struct Cache {
    expressions: BTreeMap<String, Rc<AstNode>>,
    text_bytes: usize,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Parses an expression, or takes what an earlier call parsed.
pub(crate) fn parse(expression: &str) -> Result<Rc<AstNode>, ParserError> {
    let known = CACHE.with_borrow(|cache| cache.expressions.get(expression).map(Rc::clone));
    if let Some(parsed) = known {
        return Ok(parsed);
    }
    let parsed = Rc::new(parser::parse(expression)?);
    CACHE.with_borrow_mut(|cache| cache.keep(expression, &parsed));
    Ok(parsed)
}

impl Cache {
    fn keep(&mut self, expression: &str, parsed: &Rc<AstNode>) {
        if expression.len() > MAX_TEXT_BYTES {
            return;
        }
        let full =
            self.expressions.len() >= MAX_EXPRESSIONS || self.text_bytes + expression.len() > MAX_TEXT_BYTES;
        if full {
            *self = Cache::default();
        }
        self.text_bytes += expression.len();
        self.expressions.insert(expression.to_owned(), Rc::clone(parsed));
    }
}
