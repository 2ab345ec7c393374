//! Colour, or none: the meaning never hangs on it.

/// Ansible's colours for the kinds of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Good, nothing changed.
    Ok,
    /// Something changed.
    Changed,
    /// Skipped.
    Skip,
    /// Failed.
    Error,
    /// Unreachable.
    Unreachable,
    /// Worth a look.
    Warning,
    /// Files that were included.
    Included,
    /// Tries again.
    Debug,
    /// A line that a diff adds.
    Added,
    /// A line that a diff removes.
    Removed,
    /// Secondary text.
    Dim,
}

/// Whether escape sequences may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    #[default]
    Plain,
    /// ANSI colours.
    Ansi,
}

impl Paint {
    /// Colours for a stream: none where it is no terminal, where `NO_COLOR` is set (https://no-color.org) or where the
    /// terminal says that it is dumb.
    pub fn for_terminal(is_terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if is_terminal && !refused { Self::Ansi } else { Self::Plain }
    }
    /// The text in a colour, line by line, so that a cut output leaves no colour behind.
    pub fn text(self, color: Color, text: &str) -> String {
        if self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let code = match color {
            Color::Ok | Color::Added => "0;32",
            Color::Changed => "0;33",
            Color::Skip | Color::Included => "0;36",
            Color::Error | Color::Removed => "0;31",
            Color::Unreachable => "1;31",
            Color::Warning => "1;35",
            Color::Debug | Color::Dim => "0;90",
        };
        text.split('\n')
            .map(|line| if line.is_empty() { String::new() } else { format!("\u{1b}[{code}m{line}\u{1b}[0m") })
            .collect::<Vec<_>>()
            .join("\n")
    }
}
