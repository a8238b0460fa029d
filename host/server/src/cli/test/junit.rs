//! The report as JUnit XML, which CI servers read: a suite for each file, a test case for each case.
//!
//! It must never decide what passes.

use std::fs::File;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::super::exit::Failure;
use super::FileReport;

/// Writes the file. Errors: `Output`.
pub(super) fn write(path: &Path, reports: &[FileReport]) -> Result<(), Failure> {
    let mut junit = Report::new("stepwell test");
    for report in reports {
        let mut suite = TestSuite::new(report.file.as_str());
        for case in &report.cases {
            let status = match case.differences.first() {
                None => TestCaseStatus::success(),
                Some(first) => {
                    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    failed.set_message(first.as_str()).set_description(case.differences.join("\n"));
                    failed
                }
            };
            let mut one = TestCase::new(case.case.as_str(), status);
            one.set_classname(report.file.as_str()).set_time(case.took);
            suite.add_test_case(one);
        }
        junit.add_test_suite(suite);
    }
    let io = |error: std::io::Error| Failure::Output(error);
    let file = File::create(path).map_err(io)?;
    junit.serialize(file).map_err(|error| io(std::io::Error::other(error)))
}
