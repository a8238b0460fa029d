//! Which addresses are public. Everything else needs a rule that names it.
