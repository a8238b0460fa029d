//! `stepwell clock`: what time it is for workflows, and skipping of virtual time.
//!
//! What is a sensible skip only the server judges.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::Duration;

use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::{table, timestamp};

const AFTER_HELP: &str = "\
Examples:
  stepwell clock show
  stepwell clock advance --seconds 86400
  stepwell clock advance --next

Time can be skipped where the server runs with --virtual-clock; see docs/testing-workflows.md.";

/// Arguments of `stepwell clock`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ClockArgs {
    #[command(subcommand)]
    command: ClockCommand,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Show what time it is for workflows, and who moves it
    #[command(after_help = "Example:\n  stepwell clock show")]
    Show,
    /// Skip time: everything that is due until then happens at once
    #[command(after_help = "\
Examples:
  stepwell clock advance --seconds 86400
  stepwell clock advance --to 2031-01-01T00:00:00Z
  stepwell clock advance --next")]
    Advance(AdvanceArgs),
}

/// How far.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct AdvanceArgs {
    /// By this many seconds
    #[arg(long, value_name = "N", env = "STEPWELL_CLOCK_SECONDS")]
    seconds: Option<f64>,
    /// To this moment, RFC 3339
    #[arg(long, value_name = "TIME", env = "STEPWELL_CLOCK_TO")]
    to: Option<String>,
    /// To the next timer, once no task runs
    #[arg(long, env = "STEPWELL_CLOCK_NEXT", value_parser = FalseyValueParser::new())]
    next: bool,
}

/// Runs one `stepwell clock` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: ClockArgs) -> Result<(), Failure> {
    let clock = match args.command {
        ClockCommand::Show => client.get(&["api", "clock"])?,
        ClockCommand::Advance(AdvanceArgs { seconds, to, next: _ }) => {
            let body = match (seconds, to) {
                (Some(seconds), _) => json!({"seconds": seconds}),
                (None, Some(to)) => json!({"to": to}),
                (None, None) => json!({"next": true}),
            };
            client.post(&["api", "clock", "advance"], &body.to_string())?
        }
    };
    if output.wants_json() { output.json(&clock) } else { output.line(&sentence(&clock)) }
}

/// `2031-01-01 00:00:00.000 UTC, virtual (auto), 365d 00h 00m ahead of real time`.
fn sentence(clock: &Value) -> String {
    let now = timestamp::to_the_millisecond(&clock["now"]);
    let mode = table::member_text(clock, "mode");
    if mode == "real" {
        return format!("{now} UTC, real time");
    }
    let ahead = Duration::saturating_seconds_f64(clock["offsetSeconds"].as_f64().unwrap_or_default());
    format!("{now} UTC, virtual ({mode}), {} ahead of real time", timestamp::span(ahead))
}

#[cfg(test)]
mod tests {
    use super::super::test_responder::{Request, Responder};
    use super::super::test_support;
    use serde_json::json;

    #[test]
    fn the_clock_is_shown_and_advanced_in_three_ways() {
        let real = r#"{"mode":"real","now":"2026-11-22T16:32:28.123Z","offsetSeconds":0}"#;
        let ahead = r#"{"mode":"auto","now":"2027-11-22T16:32:28.123Z","offsetSeconds":31536000}"#;
        let responder = Responder::start([(200, real), (200, ahead), (200, ahead), (200, ahead)]);
        let run = |line: &[&str]| test_support::run(&responder.endpoint, line).standard;
        assert_eq!(run(&["clock", "show"]), "2026-11-22 16:32:28.123 UTC, real time\n");
        assert_eq!(
            run(&["clock", "advance", "--seconds", "1.5"]),
            "2027-11-22 16:32:28.123 UTC, virtual (auto), 365d 00h 00m ahead of real time\n"
        );
        run(&["clock", "advance", "--to", "2031-01-01T00:00:00Z"]);
        run(&["clock", "advance", "--next"]);
        let requests = responder.requests();
        assert_eq!(requests[0].line, "GET /api/clock HTTP/1.1");
        assert_eq!(requests[1].line, "POST /api/clock/advance HTTP/1.1");
        let sent: Vec<_> = requests[1..].iter().map(Request::json).collect();
        assert_eq!(
            sent,
            [json!({"seconds": 1.5}), json!({"to": "2031-01-01T00:00:00Z"}), json!({"next": true})]
        );
    }

    #[test]
    fn a_refusal_is_shown_as_the_server_says_it() {
        let refusal = r#"{"__type":"ClockIsReal","message":"time is real here"}"#;
        let responder = Responder::start([(409, refusal)]);
        let ran = test_support::run(&responder.endpoint, &["clock", "advance", "--next"]);
        assert_eq!((ran.code, ran.diagnostic.as_str()), (3, "error: ClockIsReal: time is real here\n"));
    }
}
