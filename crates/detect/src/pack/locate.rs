//! From byte offsets in a pack's text to the file, line, rule and field that a message names.

use crate::error::{DetectError, DetectErrorKind};

/// Where a rule stands: enough to name each of its fields' lines without keeping the text.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    source: String,
    rule: String,
    line: usize,
    fields: Vec<(String, usize)>,
}

impl Place {
    pub(super) fn new(source: &str, text: &str, start: usize, rule: &str) -> Self {
        let line = line_of(text, start);
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let body = text[line_start..].lines().enumerate();
        let fields = body
            // The header's own line comes first if the span began there; the next header ends the rule.
            .skip_while(|(_, content)| content.trim_start().starts_with('['))
            .take_while(|(_, content)| !content.trim_start().starts_with("[["))
            .filter_map(|(index, content)| {
                let (name, _) = content.split_once('=')?;
                let name = name.trim();
                let bare = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                (bare && !name.is_empty()).then(|| (name.to_owned(), line + index))
            })
            .collect();
        Self { source: source.to_owned(), rule: rule.to_owned(), line, fields }
    }

    /// An error about one field of the rule; `mend` says what is wrong and what would be right.
    pub(crate) fn error(&self, kind: DetectErrorKind, field: &str, mend: &str) -> DetectError {
        let line = self.fields.iter().find(|(name, _)| name == field).map_or(self.line, |f| f.1);
        let Self { source, rule, .. } = self;
        DetectError::new(kind, format!("{source}:{line}: rule {rule}: {field}: {mend}"))
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn line(&self) -> usize {
        self.line
    }
}

/// Wraps what the TOML reader says into one line that names the place and, if one is near, the rule.
pub(super) fn syntax_error(source: &str, text: &str, error: &toml::de::Error) -> DetectError {
    let mut message = source.to_owned();
    if let Some(span) = error.span() {
        let line = line_of(text, span.start);
        message.push_str(&format!(":{line}"));
        if let Some(rule) = rule_around(text, line) {
            message.push_str(&format!(": rule {rule}"));
        }
    }
    let what = error.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
    message.push_str(": ");
    message.push_str(&what);
    // The reader's own error quotes lines of the pack; that is configuration, not anyone's body.
    DetectError::new(DetectErrorKind::Syntax, message)
}

/// The line, counted from 1, that holds the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// The id written in the `[[rule]]` table around `line`.
fn rule_around(text: &str, line: usize) -> Option<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let header = lines[..line.min(lines.len())]
        .iter()
        .rposition(|content| content.trim_start().starts_with("[[rule]]"))?;
    lines[header + 1..]
        .iter()
        .take_while(|content| !content.trim_start().starts_with("[["))
        .find_map(|content| {
            let value = content.trim().strip_prefix("id")?.trim_start().strip_prefix('=')?;
            let value = value.trim();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            value[1..].split(quote).next()
        })
}
