//! Recorded cases: where they are, and what one holds.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// One recorded case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The area it belongs to.
    pub area: String,
    /// Its name.
    pub name: String,
    /// The case as recorded.
    pub json: Value,
}

/// The folder of cases, if it is there.
pub fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or_else(beside, PathBuf::from);
    folder.join("cases").is_dir().then_some(folder)
}

/// The project's own cases: folders `tests/cases/<area>/<name>/`.
pub fn own() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let mut cases: Vec<Case> =
        folders(&root).iter().flat_map(|area| folders(area)).map(|folder| own_case(&folder)).collect();
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir()).collect()
}

fn own_case(folder: &Path) -> Case {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let json = |name: &str| {
        let parse = |text: String| {
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}/{name}: {error}", folder.display()))
        };
        text(name).map_or(Value::Null, parse)
    };
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    let (area, name) = (part(folder.parent()), part(Some(folder)));
    let json = serde_json::json!({
        "definition": json("definition.asl.json"),
        "input": text("input.json").unwrap_or_default().trim(),
        "functions": json("functions.json"),
        "expected": json("expected.json"),
        "trust": "aws",
    });
    Case { name: format!("{area}/{name}"), area: "own".to_owned(), json }
}

/// All execution cases that need nothing but functions. Prints why there are none when there are none.
pub fn executions() -> Vec<Case> {
    let Some(folder) = folder() else {
        println!(
            "SKIPPED: no conformance cases beside this checkout (set STEPWELL_CONFORMANCE to their folder)"
        );
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("cases"))
        .unwrap_or_else(|error| panic!("cannot list the cases: {error}"))
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files.iter().flat_map(|file| cases_of(file)).filter(Case::is_replayable).collect()
}

fn cases_of(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let json: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let area = json["area"].as_str().unwrap_or_default().to_owned();
    let cases = json["cases"].as_array().cloned().unwrap_or_default();
    cases
        .into_iter()
        .map(|json| Case {
            area: area.clone(),
            name: json["name"].as_str().unwrap_or_default().to_owned(),
            json,
        })
        .collect()
}

impl Case {
    /// The definition as text.
    pub fn definition(&self) -> String {
        self.json["definition"].to_string()
    }

    /// The exact input text.
    pub fn input(&self) -> &str {
        self.json["input"].as_str().unwrap_or("{}")
    }

    /// The recorded outcome.
    pub fn expected(&self) -> &Value {
        &self.json["expected"]
    }

    /// Where an own case keeps what it expects.
    pub fn expected_file(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases").join(&self.name).join("expected.json")
    }

    /// Name of the machine that was recorded.
    pub fn machine_name(&self) -> &str {
        self.json["state_machine_name"].as_str().unwrap_or("machine")
    }

    /// Role of the machine that was recorded.
    pub fn role_arn(&self) -> &str {
        self.json["role_arn"].as_str().unwrap_or("arn:aws:iam::111111111111:role/role")
    }

    /// The functions that the case needs.
    pub fn functions(&self) -> &[Value] {
        self.json["functions"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether the definition asks for something that only later releases run.
    pub fn needs_later_release(&self) -> bool {
        let definition = self.definition();
        definition.contains("\"DISTRIBUTED\"")
    }

    /// Whether the recording depends on the day it was made.
    pub fn depends_on_the_date(&self) -> bool {
        let input = self.input();
        self.area != "own" && input.contains("\"20") && self.definition().contains("TimestampPath")
    }

    fn is_replayable(&self) -> bool {
        let needs = self.json["needs"].as_array().map_or(&[][..], Vec::as_slice);
        self.json["kind"] == "execution"
            && self.json["type"].as_str().is_none_or(|kind| kind == "STANDARD")
            && needs.iter().all(|need| need == "lambda")
    }
}
