//! An evaluator that throws dice, always the same for the same call: any value, nothing, or any error may come of an
//! expression, and `step` has to live with it.

use super::samples;
use serde_json::{Value, json};
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};

/// Answers by a hash of the call.
pub struct Dice;

impl Evaluator for Dice {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        for (name, text) in &evaluation.bindings {
            let value = serde_json::from_str::<Value>(text);
            assert!(value.is_ok(), "what is bound to {name} is no JSON: {text}");
        }
        let texts = evaluation.bindings.iter().map(|(_, text)| text.as_str());
        let bytes = texts.chain([evaluation.expression]).flat_map(str::bytes);
        let hash = bytes.fold(evaluation.seed, |hash, byte| {
            hash.rotate_left(7).wrapping_add(u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        });
        match hash >> 60 {
            0 => Ok(None),
            1 => Err(EvaluationError::Unsupported),
            2 => Err(EvaluationError::Exceeded("too much".to_owned())),
            3 => Err(EvaluationError::Thrown { code: Some("T2001".to_owned()), message: "bad".to_owned() }),
            4..=6 => Ok(Some(json!(hash & 1 == 0))),
            7..=8 => Ok(Some(json!(hash % 100))),
            9 => Ok(Some(json!(["a", {"b": 1}, null]))),
            10 => Ok(Some(json!("2030-01-01T00:00:00Z"))),
            11 => Ok(Some(json!(-1.5e300))),
            _ => Ok(Some(samples::result(u8::try_from(hash % 12).unwrap_or_default()))),
        }
    }
}
