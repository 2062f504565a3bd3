//! What the commands write: JSON for programs; tables, marks and colour for people.
//!
//! What packs and servers say is shown without control characters on a terminal,
//! so that nobody's output can rewrite the screen.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use attune_domain::Json;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use owo_colors::OwoColorize;

use crate::config::environment;

/// Where and how a command writes.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    /// Whether stdout, and stderr, may have colour.
    colour: (bool, bool),
    terminal: (bool, bool),
}

/// How a line about something is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Quiet,
}

impl Output {
    /// For this process: JSON when asked for, colour only on a terminal and without `NO_COLOR`.
    pub(crate) fn new(json: bool) -> Output {
        let terminal = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let wanted = !environment::no_color();
        Output { json, terminal, colour: (terminal.0 && wanted, terminal.1 && wanted) }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A value for a program, or for a person who wants it all.
    pub(crate) fn value(self, value: &Json) {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.text(&text);
    }

    /// A line of text on stdout.
    pub(crate) fn text(self, text: &str) {
        let text = self.for_stdout(text);
        write_line(text.trim_end_matches('\n'));
    }

    /// Output of a run, as it came.
    pub(crate) fn raw(self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        drop(stdout.write_all(self.for_stdout(text).as_bytes()));
        drop(stdout.flush());
    }

    /// Output of a run that belongs on stderr.
    pub(crate) fn raw_error(self, text: &str) {
        let text = if self.terminal.1 { printable(text) } else { text.into() };
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }

    /// A line on stderr about what happens; programs do not get it.
    pub(crate) fn note(self, tone: Tone, text: &str) {
        if self.json {
            return;
        }
        let mark = match tone {
            Tone::Good => "✔ ",
            Tone::Bad => "✘ ",
            Tone::Quiet => "",
        };
        let line = format!("{mark}{}", printable(text));
        drop(writeln!(std::io::stderr().lock(), "{}", paint(&line, tone, self.colour.1)));
    }

    /// One line that says why the command failed.
    pub(crate) fn failure(self, text: &str) {
        let label = paint("error:", Tone::Bad, self.colour.1);
        drop(writeln!(std::io::stderr().lock(), "{label} {}", printable(text)));
    }

    /// A line with a mark on stdout.
    pub(crate) fn mark(self, tone: Tone, text: &str) {
        let mark = if tone == Tone::Good { "✔" } else { "✘" };
        write_line(&format!("{} {text}", paint(mark, tone, self.colour.0)));
    }

    /// A table; the column named `status` is coloured by its words.
    pub(crate) fn table(self, header: &[&str], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(header.iter().map(|name| self.head(name)));
        for row in rows {
            let cells = header.iter().zip(row);
            table.add_row(cells.map(|(name, text)| self.cell(name, &text)));
        }
        write_line(&table.trim_fmt());
    }

    /// Names and values below each other.
    pub(crate) fn fields(self, fields: &[(&str, String)]) {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            let name = paint(&format!("{name:width$}"), Tone::Quiet, self.colour.0);
            write_line(&format!("{name}  {}", self.for_stdout(value)));
        }
    }

    fn head(self, name: &str) -> Cell {
        let cell = Cell::new(name);
        if self.colour.0 { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    fn cell(self, column: &str, text: &str) -> Cell {
        let cell = Cell::new(printable(text));
        if column != "status" || !self.colour.0 {
            return cell;
        }
        cell.fg(match text {
            "completed" => Color::Green,
            "failed" | "abandoned" | "timeout" => Color::Red,
            "cancelled" | "canceling" => Color::Yellow,
            _ => Color::Cyan,
        })
    }

    fn for_stdout(self, text: &str) -> Cow<'_, str> {
        if self.terminal.0 { printable(text) } else { Cow::Borrowed(text) }
    }
}

fn write_line(text: &str) {
    // A reader that has gone away (`| head`) is no error of ours.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

fn paint(text: &str, tone: Tone, colour: bool) -> String {
    match tone {
        _ if !colour => text.to_owned(),
        Tone::Good => text.green().to_string(),
        Tone::Bad => text.red().to_string(),
        Tone::Quiet => text.dimmed().to_string(),
    }
}

/// The text without characters that steer a terminal.
fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\tb\nc"), "a\tb\nc");
        assert_eq!(printable("\u{1b}[2Jgone\u{9b}"), "\u{fffd}[2Jgone\u{fffd}");
    }
}
