//! Where the commands print. Results go to standard output, everything about them (progress, notes, errors) to standard
//! error, so that a result can be piped.
//!
//! Nothing in this folder may use `println!`: it panics when a pipe is closed, and a reader that has seen enough
//! (`| head`) is no failure.

use std::io::{self, IsTerminal as _, Write};

use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use super::ColorChoice;
use super::exit::Failure;

/// Width of tables in characters when nothing says how wide the screen is.
const DEFAULT_WIDTH: u16 = 120;

/// The two streams of a command, and how they look.
pub(crate) struct Output {
    standard: Stream,
    diagnostic: Stream,
    json: bool,
    /// Width of the screen in characters, if standard output goes to one.
    width: Option<u16>,
    progress_shown: bool,
}

/// One of the process's output streams.
struct Stream {
    writer: Box<dyn Write>,
    on_screen: bool,
    color: bool,
}

impl Stream {
    fn new(writer: impl Write + 'static, on_screen: bool, choice: ColorChoice) -> Self {
        let color = match choice {
            ColorChoice::Auto => on_screen && !wants_no_color(),
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        Self { writer: Box::new(writer), on_screen, color }
    }
}

/// Whether the environment asks for plain text (no-color.org; a terminal without escape sequences).
fn wants_no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
}

impl Output {
    /// The process's own streams.
    pub(crate) fn standard(json: bool, choice: ColorChoice) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (standard_screen, diagnostic_screen) = (stdout.is_terminal(), stderr.is_terminal());
        Self {
            standard: Stream::new(io::BufWriter::new(stdout), standard_screen, choice),
            diagnostic: Stream::new(stderr, diagnostic_screen, choice),
            json,
            width: if standard_screen { Table::new().width() } else { None },
            progress_shown: false,
        }
    }

    /// Streams of a test.
    #[cfg(test)]
    pub(crate) fn capture(json: bool) -> (Self, Captured) {
        let captured = Captured::default();
        let output = Self {
            standard: Stream::new(captured.standard.clone(), false, ColorChoice::Never),
            diagnostic: Stream::new(captured.diagnostic.clone(), false, ColorChoice::Never),
            json,
            width: Some(DEFAULT_WIDTH),
            progress_shown: false,
        };
        (output, captured)
    }

    /// Whether raw JSON was asked for.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Whether somebody watches standard error.
    pub(crate) fn is_live(&self) -> bool {
        self.diagnostic.on_screen
    }

    /// Whether results go to a screen.
    pub(crate) fn is_screen(&self) -> bool {
        self.standard.on_screen
    }

    /// Width that cut tables fit, in characters.
    pub(crate) fn width(&self) -> u16 {
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
        self.width.or_else(columns).unwrap_or(DEFAULT_WIDTH)
    }

    /// Prints a line of the result.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints JSON with indentation.
    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(&format!("{value:#}"))
    }

    /// Prints a table whose long cells wrap on a screen, and stay whole in a file or pipe.
    pub(crate) fn table(&mut self, mut table: Table) -> Result<(), Failure> {
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for line in self.render(&mut table) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// The lines of a table, with colours if they are wanted.
    pub(crate) fn render(&self, table: &mut Table) -> Vec<String> {
        if self.standard.color {
            table.enforce_styling().style_text_only();
        } else {
            table.force_no_tty();
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.clear_progress();
        forgive_closed_pipe(self.standard.writer.write_all(bytes))
    }

    /// Writes out what is still buffered.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.clear_progress();
        forgive_closed_pipe(self.standard.writer.flush())
    }

    /// Says something about the result that is not part of it.
    pub(crate) fn note(&mut self, text: &str) {
        self.clear_progress();
        self.diagnose(&format!("{text}\n"));
    }

    /// Shows or replaces the progress line, if somebody watches.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.diagnostic.on_screen {
            self.clear_progress();
            let width = usize::from(self.width()).saturating_sub(1);
            let text: String = text.chars().take(width).collect();
            self.diagnose(&text);
            self.progress_shown = true;
        }
    }

    /// Reports why the command failed.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        // What was printed before the failure comes first; if that cannot be written, this failure matters more.
        let _ = self.finish();
        let label = if self.diagnostic.color { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        self.diagnose(&format!("{label} {failure}\n"));
        if let Some(hint) = failure.hint() {
            self.diagnose(&format!("hint: {hint}\n"));
        }
    }

    fn clear_progress(&mut self) {
        if std::mem::take(&mut self.progress_shown) {
            self.diagnose("\r\x1b[K");
        }
    }

    /// Writes to standard error; nobody is left to tell if that fails.
    fn diagnose(&mut self, text: &str) {
        let _ = self.diagnostic.writer.write_all(text.as_bytes());
        let _ = self.diagnostic.writer.flush();
    }
}

fn forgive_closed_pipe(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes text from elsewhere (guest logs, state names) safe to print: control characters could move the cursor or
/// change colours, and line ends would break a table.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// What a test's [`Output`] printed.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Captured {
    standard: Buffer,
    diagnostic: Buffer,
}

#[cfg(test)]
impl Captured {
    /// All of standard output.
    pub(crate) fn standard(&self) -> String {
        self.standard.text()
    }

    /// All of standard error.
    pub(crate) fn diagnostic(&self) -> String {
        self.diagnostic.text()
    }
}

/// A stream that a test can read back.
#[cfg(test)]
#[derive(Clone, Default)]
struct Buffer(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

#[cfg(test)]
impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::json;

    use super::super::exit::Failure;
    use super::{Output, forgive_closed_pipe, printable};

    #[test]
    fn results_and_notes_are_kept_apart() {
        let (mut output, captured) = Output::capture(true);
        output.json(&json!({"b": 1, "a": []})).unwrap();
        output.note("more exist");
        output.progress("nobody watches");
        output.failure(&Failure::Unreachable { endpoint: "http://h".into(), reason: "down".into() });
        assert_eq!(captured.standard(), "{\n  \"b\": 1,\n  \"a\": []\n}\n");
        let told = captured.diagnostic();
        assert!(told.starts_with("more exist\nerror: cannot reach http://h: down\nhint: "), "{told}");
    }

    #[test]
    fn a_progress_line_is_cleared_before_anything_else() {
        let (mut output, captured) = Output::capture(false);
        output.diagnostic.on_screen = true;
        output.progress("1 s");
        output.progress("2 s");
        output.line("done").unwrap();
        assert_eq!(captured.diagnostic(), "1 s\r\u{1b}[K2 s\r\u{1b}[K");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert!(forgive_closed_pipe(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        let failure = forgive_closed_pipe(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31m\nb é"), "a\\u{1b}[31m\\nb é");
    }
}
