//! Reads the condition of a filter, `[?( ... )]`:
//!
//! ```text
//! or         = and { "||" and }
//! and        = operand { "&&" operand }
//! operand    = "!" operand | "(" or ")" | expression
//! expression = value operator value | path | "!" path
//! ```
//!
//! Must never evaluate anything: what a text cannot mean is refused here, with Jayway's message.

use super::ast::{Anchor, Operand, Operator, Predicate};
use super::cursor::{Cursor, Fault, unescape};
use super::decimal::Numeric;
use super::literal;
use super::parser::{Allowance, compile};
use super::pattern::{FLAGS, Pattern};

/// Parses a filter with its brackets.
pub(super) fn parse(text: &str, allowance: &mut Allowance) -> Result<Predicate, Fault> {
    let mut cursor = Cursor::new(text);
    cursor.position = 1;
    cursor.end = cursor.end.saturating_sub(1);
    cursor.trim();
    cursor.position += 1;
    cursor.trim();
    let mut reader = Reader { cursor, allowance };
    match reader.whole() {
        Err(Fault::Broken) => {
            let position = reader.cursor.position;
            let found = reader.cursor.current().map_or_else(String::new, String::from);
            Fault::invalid(format!(
                "Failed to parse filter: {text}, error on position: {position}, char: {found}"
            ))
        }
        result => result,
    }
}

struct Reader<'a> {
    cursor: Cursor,
    allowance: &'a mut Allowance,
}

impl Reader<'_> {
    fn whole(&mut self) -> Result<Predicate, Fault> {
        let predicate = self.any()?;
        self.cursor.skip_blanks();
        if self.cursor.in_bounds() {
            let rest = self.cursor.slice(self.cursor.position, self.cursor.end);
            return Fault::invalid(format!("Expected end of filter expression instead of: {rest}"));
        }
        Ok(predicate)
    }

    fn any(&mut self) -> Result<Predicate, Fault> {
        let first = self.all()?;
        let mut predicates = vec![first];
        while self.cursor.accept("||") {
            predicates.push(self.all()?);
        }
        Ok(single_or(predicates, Predicate::Any))
    }

    fn all(&mut self) -> Result<Predicate, Fault> {
        let first = self.operand()?;
        let mut predicates = vec![first];
        while self.cursor.accept("&&") {
            predicates.push(self.operand()?);
        }
        Ok(single_or(predicates, Predicate::All))
    }

    fn operand(&mut self) -> Result<Predicate, Fault> {
        self.cursor.skip_blanks();
        if self.cursor.current() == Some('!') && !matches!(self.behind_mark(), '$' | '@') {
            self.cursor.position += 1;
            let negated = self.deeper(Self::operand)?;
            return Ok(Predicate::Not(Box::new(negated)));
        }
        if self.cursor.current() == Some('(') {
            self.cursor.position += 1;
            let inner = self.deeper(Self::any)?;
            self.cursor.skip_blanks();
            if self.cursor.current() != Some(')') {
                return Fault::invalid("Expected character: )");
            }
            self.cursor.position += 1;
            return Ok(inner);
        }
        self.expression()
    }

    fn behind_mark(&self) -> char {
        self.cursor.next_significant(self.cursor.position)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.allowance.enter()?;
        let result = read(self);
        self.allowance.leave();
        result
    }

    /// A comparison; where none can be read, the test whether a path exists.
    fn expression(&mut self) -> Result<Predicate, Fault> {
        let (left, expected) = self.value(false)?;
        let before = self.cursor.position;
        match self.comparison() {
            Ok((operator, right)) => return Ok(Predicate::Compare { left, operator, right }),
            Err(Fault::Broken) => return Err(Fault::Broken),
            Err(Fault::Invalid(_)) => self.cursor.position = before,
        }
        match left {
            Operand::Path { path, .. } => Ok(Predicate::Exists { path, expected }),
            Operand::Null
            | Operand::Bool(_)
            | Operand::Number(_)
            | Operand::Text(_)
            | Operand::Json(_)
            | Operand::Pattern(_) => Fault::invalid("Expected path node"),
        }
    }

    fn comparison(&mut self) -> Result<(Operator, Operand), Fault> {
        let operator = self.operator()?;
        let words = matches!(operator, Operator::Equal | Operator::NotEqual);
        let (right, _) = self.value(words)?;
        Ok((operator, right))
    }

    fn operator(&mut self) -> Result<Operator, Fault> {
        self.cursor.skip_blanks();
        let begin = self.cursor.position;
        let symbols = self.cursor.current().is_some_and(is_operator_symbol);
        while self.cursor.in_bounds() {
            let c = self.cursor.current().unwrap_or(' ');
            if if symbols { !is_operator_symbol(c) } else { c == ' ' } {
                break;
            }
            self.cursor.position += 1;
        }
        let text = self.cursor.slice(begin, self.cursor.position);
        match Operator::parse(&text) {
            Some(operator) => Ok(operator),
            None => Fault::invalid(format!("Filter operator {text} is not supported!")),
        }
    }

    /// Reads one side of a comparison, `words` = it may be a word without quotes. The flag that it returns is
    /// false for a path behind `!`.
    fn value(&mut self, words: bool) -> Result<(Operand, bool), Fault> {
        self.cursor.skip_blanks();
        match self.cursor.current() {
            Some('$' | '@') => Ok((self.path()?, true)),
            Some('!') => {
                self.cursor.position += 1;
                self.cursor.skip_blanks();
                match self.cursor.current() {
                    Some('$' | '@') => Ok((self.path()?, false)),
                    _ => Fault::invalid("Unexpected character: !"),
                }
            }
            _ => Ok((self.literal(words)?, true)),
        }
    }

    fn path(&mut self) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        self.cursor.position += 1;
        while self.cursor.in_bounds() {
            if self.cursor.current() == Some('[') {
                let Some(close) = self.cursor.matching(self.cursor.position, ('[', ']'), false)? else {
                    let text = self.cursor.text();
                    return Fault::invalid(format!("Square brackets does not match in filter {text}"));
                };
                self.cursor.position = close + 1;
            }
            let c = self.cursor.current().unwrap_or(' ');
            let ends = is_operator_symbol(c) || c == ' ' || (c == ')' && !self.closes_call(begin));
            if ends || !self.cursor.in_bounds() {
                break;
            }
            self.cursor.position += 1;
        }
        let text = self.cursor.slice(begin, self.cursor.position);
        let compiled = self.allowance.nested(|allowance| compile(&text, allowance));
        let path = match compiled {
            Err(Fault::Broken) => return Fault::invalid("Unexpected end of path"),
            other => other?,
        };
        let slot = (path.anchor == Anchor::Document).then(|| {
            self.allowance.slots += 1;
            self.allowance.slots - 1
        });
        Ok(Operand::Path { path, slot })
    }

    /// True for the second half of `()` behind a name.
    fn closes_call(&self, begin: usize) -> bool {
        let Some((open, '(')) = self.cursor.previous_significant() else { return false };
        (begin + 1..open).any(|index| self.cursor.at(index) == Some('.'))
    }

    fn literal(&mut self, words: bool) -> Result<Operand, Fault> {
        match self.cursor.current() {
            Some(quote @ ('\'' | '"')) => self.text(quote),
            Some('{') => self.json('{', '}'),
            Some('[') => self.json('[', ']'),
            Some('/') => self.pattern(),
            Some(c) if c == '_' || c.is_ascii_alphabetic() => self.word(c, words),
            Some(_) => self.number(),
            None => Err(Fault::Broken),
        }
    }

    fn text(&mut self, quote: char) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let Some(close) = self.cursor.index_of_unescaped(begin, quote) else {
            let text = self.cursor.text();
            return Fault::invalid(format!(
                "String literal does not have matching quotes. Expected {quote} in {text}"
            ));
        };
        self.cursor.position = close + 1;
        Ok(Operand::Text(unescape(&self.cursor.slice(begin + 1, close))?))
    }

    fn json(&mut self, open: char, close: char) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let Some(end) = self.cursor.matching(begin, (open, close), false)? else {
            let text = self.cursor.text();
            return Fault::invalid(format!("String not closed. Expected ' in {text}"));
        };
        self.cursor.position = end + 1;
        match literal::parse(&self.cursor.slice(begin, end + 1)) {
            Ok(value) => Ok(Operand::Json(value)),
            Err(message) => Fault::invalid(message),
        }
    }

    /// `true`, `false`, `null`; on the right of `==` and `!=` any other word is a string without quotes.
    /// Jayway refuses such words, but definitions that AWS publishes use them: `[?(@.Name==Receipt)]`.
    fn word(&mut self, first: char, words: bool) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        for (constant, operand) in
            [("true", Operand::Bool(true)), ("false", Operand::Bool(false)), ("null", Operand::Null)]
        {
            if self.cursor.slice(begin, begin + constant.len()) == constant {
                self.cursor.position += constant.len();
                return Ok(operand);
            }
        }
        if !words {
            return match first {
                'n' => Fault::invalid("Expected <null> value"),
                't' | 'f' => Fault::invalid("Expected boolean literal"),
                _ => Err(Fault::Broken),
            };
        }
        let part = |c: &char| *c == '_' || *c == '-' || c.is_alphanumeric();
        while self.cursor.in_bounds() && self.cursor.current().as_ref().is_some_and(part) {
            self.cursor.position += 1;
        }
        Ok(Operand::Text(self.cursor.slice(begin, self.cursor.position)))
    }

    fn number(&mut self) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let part = |c: char| c.is_ascii_digit() || "-.eE".contains(c);
        while self.cursor.in_bounds() && self.cursor.current().is_some_and(part) {
            self.cursor.position += 1;
        }
        let text = self.cursor.slice(begin, self.cursor.position);
        Numeric::parse(&text).map(Operand::Number).ok_or(Fault::Broken)
    }

    /// `/pattern/flags`. The pattern has to match the whole value.
    fn pattern(&mut self) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let Some(close) = self.cursor.index_of_unescaped(begin, '/') else {
            let text = self.cursor.text();
            return Fault::invalid(format!("Pattern not closed. Expected / in {text}"));
        };
        self.cursor.position = close + 1;
        while self.cursor.in_bounds() && self.cursor.current().is_some_and(|c| FLAGS.contains(c)) {
            self.cursor.position += 1;
        }
        let text = self.cursor.slice(begin + 1, close);
        let flags = self.cursor.slice(close + 1, self.cursor.position);
        Pattern::new(&text, &flags).map(Operand::Pattern).ok_or(Fault::Broken)
    }
}

fn is_operator_symbol(c: char) -> bool {
    matches!(c, '<' | '>' | '=' | '~' | '!')
}

fn single_or(mut predicates: Vec<Predicate>, many: fn(Vec<Predicate>) -> Predicate) -> Predicate {
    match predicates.pop() {
        Some(only) if predicates.is_empty() => only,
        Some(last) => {
            predicates.push(last);
            many(predicates)
        }
        None => many(predicates),
    }
}
