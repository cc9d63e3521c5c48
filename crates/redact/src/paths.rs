//! What is done by where a value stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What of a body is redacted, by the paths of its fields.
///
/// A path is written as in `messages[*].content`: names of fields, and `[*]` for any place in an array.
/// `*` is any one name, `**` any way there, and what lies below a path belongs to it. In streams and in
/// files of many documents, paths begin in each document; they go on in JSON inside strings, as in
/// `choices[*].message.tool_calls[*].function.arguments.customer.email`.
///
/// `force` comes before `exclude`, and that before `include`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// If there are any, only what lies below one of these is looked at.
    pub include: Vec<PathPattern>,
    /// What lies below one of these is left as it is, whatever it holds.
    pub exclude: Vec<PathPattern>,
    /// Every text and number below one of these is taken out, whatever it holds.
    pub force: Vec<PathPattern>,
}

/// Paths that suit many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preset {
    /// Looks everywhere.
    Everything,
    /// Looks only at what people and models say to each other and to tools, in the APIs known by name.
    Conversation,
    /// Leaves alone what the developer wrote: system prompts and tools.
    NoInstructions,
    /// Takes out all that is said, whatever it is, and keeps the rest: models, settings, counts.
    NoContent,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 4] =
        [Self::Everything, Self::Conversation, Self::NoInstructions, Self::NoContent];

    /// The paths.
    #[must_use]
    pub fn paths(self) -> Paths {
        const CONVERSATION: [&str; 22] = [
            "messages",
            "input",
            "prompt",
            "contents",
            "choices[*].message",
            "choices[*].delta",
            "choices[*].text",
            "output",
            "content",
            "candidates[*].content",
            "delta",
            "text",
            "item",
            "part",
            "arguments",
            "response.output",
            "message.content",
            "content_block",
            "contentBlockDelta",
            "output_text",
            "body.messages",
            "body.input",
        ];
        const INSTRUCTIONS: [&str; 8] = [
            "tools",
            "toolConfig",
            "functions",
            "system",
            "instructions",
            "systemInstruction",
            "response.tools",
            "response.instructions",
        ];
        const NAMES: [&str; 7] =
            ["role", "type", "id", "index", "status", "finish_reason", "object"];
        let patterns = |paths: &[&str]| -> Vec<PathPattern> {
            paths.iter().map(|path| path.parse().expect("a path of ours")).collect()
        };
        match self {
            Self::Everything => Paths::default(),
            Self::Conversation => Paths { include: patterns(&CONVERSATION), ..Paths::default() },
            Self::NoInstructions => Paths { exclude: patterns(&INSTRUCTIONS), ..Paths::default() },
            Self::NoContent => {
                let mut force = patterns(&[&CONVERSATION[..], &INSTRUCTIONS[3..]].concat());
                for path in &mut force {
                    path.but = NAMES.map(str::to_owned).to_vec();
                }
                Paths { force, ..Paths::default() }
            }
        }
    }
}

/// What is to be done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Scan,
    Skip,
    Force,
}

impl Paths {
    /// Whether no path is treated differently from the rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty() && self.force.is_empty()
    }

    pub(crate) fn decide(&self, path: &str) -> Decision {
        let any = |patterns: &[PathPattern]| patterns.iter().any(|pattern| pattern.covers(path));
        if any(&self.force) {
            Decision::Force
        } else if any(&self.exclude) || !(self.include.is_empty() || any(&self.include)) {
            Decision::Skip
        } else {
            Decision::Scan
        }
    }
}

/// A path, perhaps with steps left open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    steps: Vec<Step>,
    /// Names that it does not cover at the end of a path.
    but: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    AnyName,
    Item,
    AnyWay,
}

/// More steps than this no body has.
const MAX_STEPS: usize = 32;

impl PathPattern {
    /// Whether a path is this one or leads below it.
    fn covers(&self, path: &str) -> bool {
        if self.but.iter().any(|name| path.rsplit('.').next() == Some(name)) {
            return false;
        }
        let steps: Vec<&str> = steps(path).collect();
        covers(&self.steps, &steps)
    }
}

fn covers(pattern: &[Step], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if *first == Step::AnyWay {
        return (0..=path.len()).any(|skip| covers(rest, &path[skip..]));
    }
    let Some((step, below)) = path.split_first() else { return false };
    let fits = match first {
        Step::Name(name) => name == step,
        Step::AnyName => *step != "[*]",
        Step::Item => *step == "[*]",
        Step::AnyWay => true,
    };
    // A pattern may leave arrays out: `messages.content` means each of them.
    (fits && covers(rest, below))
        || (*step == "[*]" && *first != Step::Item && covers(pattern, below))
}

/// The steps of a path: names, and `[*]`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').flat_map(|step| {
        let name = step.find('[').map_or(step, |at| &step[..at]);
        let items = step[name.len()..].split_inclusive(']');
        (!name.is_empty()).then_some(name).into_iter().chain(items)
    })
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let text = text.strip_prefix("$.").or_else(|| text.strip_prefix('$')).unwrap_or(text);
        let parsed: Vec<Step> = steps(text)
            .map(|step| match step {
                "[*]" => Ok(Step::Item),
                "*" => Ok(Step::AnyName),
                "**" => Ok(Step::AnyWay),
                name if name.contains(['[', ']', '*', '"', '\'']) => Err(PathError),
                name => Ok(Step::Name(name.to_owned())),
            })
            .collect::<Result<_, _>>()?;
        let open = parsed.iter().filter(|step| **step == Step::AnyWay).count();
        if parsed.is_empty() || parsed.len() > MAX_STEPS || open > 2 || text.contains("..") {
            return Err(PathError);
        }
        Ok(Self { steps: parsed, but: Vec::new() })
    }
}

impl TryFrom<String> for PathPattern {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Item => f.write_str("[*]")?,
                other => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(match other {
                        Step::Name(name) => name,
                        Step::AnyName => "*",
                        _ => "**",
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// That is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathError;

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a path: write names with dots between, [*] for any place in an array, * for any name and ** \
             for any way, as in messages[*].content",
        )
    }
}

impl std::error::Error for PathError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_lies_below() {
        for (pattern, path, covered) in [
            ("messages[*].content", "messages[*].content", true),
            ("messages[*].content", "messages[*].content[*].text", true),
            ("messages[*].content", "messages[*].role", false),
            ("messages.content", "messages[*].content", true),
            ("messages", "messages[*].content", true),
            ("messages", "body.messages[*].content", false),
            ("**.password", "a.b[*].password", true),
            ("**.password", "password", true),
            ("**.password", "passwords", false),
            ("*.content", "messages[*].content", true),
            ("$.tools[*]", "tools[*].name", true),
            ("[*].a", "[*].a.b", true),
            ("gen_ai.input.messages", "gen_ai.input.messages[*].content", true),
        ] {
            let parsed: PathPattern = pattern.parse().unwrap();
            assert_eq!(parsed.covers(path), covered, "{pattern} {path}");
            assert_eq!(parsed.to_string(), pattern.trim_start_matches("$."));
        }
        for wrong in ["", "a..b", "a[0]", "a['b']", "**.a.**.b.**", "a*"] {
            assert_eq!(wrong.parse::<PathPattern>(), Err(PathError), "{wrong}");
        }
    }

    #[test]
    fn force_comes_before_exclude_and_that_before_include() {
        let paths: Paths = serde_json::from_str(
            r#"{"include":["messages"],"exclude":["messages[*].name"],"force":["**.ssn"]}"#,
        )
        .unwrap();
        for (path, decision) in [
            ("messages[*].content", Decision::Scan),
            ("messages[*].name", Decision::Skip),
            ("messages[*].name.ssn", Decision::Force),
            ("metadata", Decision::Skip),
        ] {
            assert_eq!(paths.decide(path), decision, "{path}");
        }
        for preset in Preset::ALL {
            assert_eq!(preset.paths().is_empty(), preset == Preset::Everything);
        }
    }
}
