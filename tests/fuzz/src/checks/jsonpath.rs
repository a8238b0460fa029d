//! JSONPath: parsing and selecting never panic, always give the same, and keep the promises of the API.

use super::samples;
use stepwell_asl::jsonpath::JsonPath;

/// Checks `path`, a line break, and a JSON document. Where the second part is no JSON, a fixed document stands in.
pub fn check(text: &str) {
    let (path, document) = samples::text_and_document(text);
    let parsed = JsonPath::parse(path);
    assert_eq!(parsed, JsonPath::parse(path), "parsing is deterministic");
    let path = match parsed {
        Ok(path) => path,
        Err(error) => {
            assert!(!error.message().is_empty(), "an error says what it is");
            return;
        }
    };
    assert!(path.as_str().starts_with('$'));
    assert!(!path.is_reference_path() || path.is_definite(), "a Reference Path names one place");
    let selected = path.select(&document);
    assert_eq!(selected, path.select(&document), "selecting is deterministic");
    match selected {
        Ok(value) => assert!(path.is_definite() || value.is_array(), "an indefinite path gives an array"),
        Err(error) => assert!(!error.message().is_empty(), "an error says what it is: {:?}", error.kind()),
    }
}
