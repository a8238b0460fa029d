//! JSONata as the Amazon States Language uses it (specification, "Using JSONata"): what definitions hold, and how a
//! state's expressions are evaluated. It must never evaluate anything itself: it asks an [`Evaluator`].

mod evaluator;
mod expression;
mod fields;
mod projection;
mod query;
mod template;
mod trial;
mod uses;
mod wording;

pub use evaluator::{Evaluation, EvaluationError, Evaluator, NoEvaluator};
pub(crate) use expression::Expression;
pub use expression::SyntaxError;
pub(crate) use fields::Scope;
pub(crate) use query::States;
pub(crate) use template::Template;
pub use trial::Trial;
