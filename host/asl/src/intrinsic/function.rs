//! The names of the intrinsic functions and what their calls must look like (Step Functions Developer Guide,
//! "Intrinsic functions for JSONPath states"). Must never evaluate anything.

use crate::limits;
use std::ops::RangeInclusive;

/// One of the functions that Step Functions has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Array,
    ArrayContains,
    ArrayGetItem,
    ArrayLength,
    ArrayPartition,
    ArrayRange,
    ArrayUnique,
    Base64Decode,
    Base64Encode,
    Format,
    Hash,
    JsonMerge,
    JsonToString,
    MathAdd,
    MathRandom,
    StringSplit,
    StringToJson,
    Uuid,
}

impl Function {
    /// All of them, by name.
    pub(super) const ALL: [Function; 18] = [
        Function::Array,
        Function::ArrayContains,
        Function::ArrayGetItem,
        Function::ArrayLength,
        Function::ArrayPartition,
        Function::ArrayRange,
        Function::ArrayUnique,
        Function::Base64Decode,
        Function::Base64Encode,
        Function::Format,
        Function::Hash,
        Function::JsonMerge,
        Function::JsonToString,
        Function::MathAdd,
        Function::MathRandom,
        Function::StringSplit,
        Function::StringToJson,
        Function::Uuid,
    ];

    /// The function with this full name, `States.Array`.
    pub(super) fn from_name(name: &str) -> Option<Function> {
        Function::ALL.into_iter().find(|function| function.name() == name)
    }

    /// The full name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Array => "States.Array",
            Function::ArrayContains => "States.ArrayContains",
            Function::ArrayGetItem => "States.ArrayGetItem",
            Function::ArrayLength => "States.ArrayLength",
            Function::ArrayPartition => "States.ArrayPartition",
            Function::ArrayRange => "States.ArrayRange",
            Function::ArrayUnique => "States.ArrayUnique",
            Function::Base64Decode => "States.Base64Decode",
            Function::Base64Encode => "States.Base64Encode",
            Function::Format => "States.Format",
            Function::Hash => "States.Hash",
            Function::JsonMerge => "States.JsonMerge",
            Function::JsonToString => "States.JsonToString",
            Function::MathAdd => "States.MathAdd",
            Function::MathRandom => "States.MathRandom",
            Function::StringSplit => "States.StringSplit",
            Function::StringToJson => "States.StringToJson",
            Function::Uuid => "States.UUID",
        }
    }

    /// How many arguments it takes.
    pub(super) fn arguments(self) -> RangeInclusive<usize> {
        match self {
            Function::Array => 0..=limits::INTRINSIC_ARGUMENTS,
            Function::Format => 1..=limits::INTRINSIC_ARGUMENTS,
            Function::Uuid => 0..=0,
            Function::ArrayLength
            | Function::ArrayUnique
            | Function::Base64Decode
            | Function::Base64Encode
            | Function::JsonToString
            | Function::StringToJson => 1..=1,
            Function::ArrayContains
            | Function::ArrayGetItem
            | Function::ArrayPartition
            | Function::Hash
            | Function::MathAdd
            | Function::StringSplit => 2..=2,
            Function::MathRandom => 2..=3,
            Function::ArrayRange | Function::JsonMerge => 3..=3,
        }
    }

    /// Whether the argument at this place, counted from 0, is a number.
    pub(super) fn takes_number(self, at: usize) -> bool {
        match self {
            Function::ArrayRange | Function::MathAdd | Function::MathRandom => true,
            Function::ArrayGetItem | Function::ArrayPartition => at == 1,
            Function::Array
            | Function::ArrayContains
            | Function::ArrayLength
            | Function::ArrayUnique
            | Function::Base64Decode
            | Function::Base64Encode
            | Function::Format
            | Function::Hash
            | Function::JsonMerge
            | Function::JsonToString
            | Function::StringSplit
            | Function::StringToJson
            | Function::Uuid => false,
        }
    }
}
