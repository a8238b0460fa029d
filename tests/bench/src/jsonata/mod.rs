//! JSONata: single evaluations against the JavaScript reference, what a large input costs, and what hostile expressions
//! cost everybody else.

pub mod binding;
pub mod ends;
pub mod evaluations;
pub mod expressions;
pub mod hostile;
pub mod instances;
pub mod load;
mod machines;
pub mod reference;
