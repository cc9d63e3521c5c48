//! File, environment and flags laid over one another, each value with where it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::known::{KNOWN, Known, VARIABLE_PREFIX, nearest};
use crate::failure::Failure;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said otherwise.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// The command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value as it was written.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// The values in force, by the names of their settings.
#[derive(Clone, Default)]
pub(crate) struct Layers(BTreeMap<&'static str, Written>);

impl Layers {
    /// The defaults.
    pub(crate) fn defaults() -> Self {
        let mut layers = Self::default();
        for known in KNOWN {
            if let Some(text) = known.default {
                layers.lay(known, text.to_owned(), Origin::Default);
            }
        }
        layers
    }

    /// Lays a file on top. `text` is its content; its relative paths start at its own folder.
    pub(crate) fn file(&mut self, path: &Path, text: &str) -> Result<(), Failure> {
        let place = |at: usize| format!("{}:{}", path.display(), line_of(text, at));
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Failure::usage(format!("{}: {}", place(at), error.message()))
        })?;
        for (name, at, value) in flatten(table.get_ref()) {
            let Some(known) = Known::by_name(&name) else {
                return Err(unknown(&place(at), "setting", &name));
            };
            let mut written = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Float(number) => number.to_string(),
                DeValue::Boolean(truth) => truth.to_string(),
                other => {
                    let kind = other.type_str();
                    let message =
                        format!("{}: {name} is one value, such as a string, no {kind}", place(at));
                    return Err(Failure::usage(message));
                }
            };
            if known.path {
                let folder = path.parent().unwrap_or(Path::new(""));
                written = folder.join(&written).to_string_lossy().into_owned();
            }
            let origin = Origin::File(path.to_owned(), line_of(text, at));
            self.lay(known, written, origin);
        }
        Ok(())
    }

    /// Lays the environment on top. An empty variable is as good as none. Gives the variables that
    /// look like ours and name no setting, with what may have been meant.
    pub(crate) fn environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Vec<String>, Failure> {
        let mut strangers = Vec::new();
        let names: Vec<_> = KNOWN.iter().map(Known::variable).collect();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX)) else {
                continue;
            };
            let Some(index) = names.iter().position(|known| known == name) else {
                if name != CONFIG_VARIABLE {
                    let near = nearest(name, names.iter().map(String::as_str));
                    let hint = near.map(|near| format!(" (is {near} meant?)")).unwrap_or_default();
                    strangers.push(format!("{name} is no setting{hint}"));
                }
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_| Failure::usage(format!("{name} is not UTF-8 text")))?;
            if !value.is_empty() {
                self.lay(&KNOWN[index], value, Origin::Variable(name.to_owned()));
            }
        }
        Ok(strangers)
    }

    /// Lays the value of a flag on top.
    ///
    /// # Panics
    ///
    /// If there is no such setting: flags are ours.
    pub(crate) fn flag(&mut self, flag: &'static str, name: &str, value: String) {
        let known = Known::by_name(name).expect("a flag names a setting that there is");
        self.lay(known, value, Origin::Flag(flag));
    }

    /// Lays `--set NAME=VALUE` on top.
    pub(crate) fn assignment(&mut self, assignment: &str) -> Result<(), Failure> {
        let Some((name, value)) = assignment.split_once('=') else {
            // Without the text, which may be a secret.
            return Err(Failure::usage("--set takes NAME=VALUE, as in --set log.level=debug"));
        };
        let known = Known::by_name(name).ok_or_else(|| unknown("--set", "setting", name))?;
        self.lay(known, value.to_owned(), Origin::Flag("--set"));
        Ok(())
    }

    /// The value in force.
    pub(crate) fn value(&self, name: &str) -> Option<&Written> {
        self.0.get(name)
    }

    fn lay(&mut self, known: &'static Known, text: String, origin: Origin) {
        self.0.insert(known.name, Written { text, origin });
    }
}

/// Names the file where no flag does.
pub(crate) const CONFIG_VARIABLE: &str = "OUBLIETTE_CONFIG";

fn unknown(place: &str, what: &str, name: &str) -> Failure {
    let hint = match nearest(name, KNOWN.iter().map(|known| known.name)) {
        Some(near) => format!("is {near} meant?"),
        None => "`oubliette config check` lists all there are".to_owned(),
    };
    Failure::usage(format!("{place}: {name} is no {what}: {hint}"))
}

type Flat<'t> = Vec<(String, usize, &'t Spanned<DeValue<'t>>)>;

/// The fields of a table and of the tables in it, by dotted name and place in the text.
fn flatten<'t>(table: &'t DeTable<'t>) -> Flat<'t> {
    let mut flat = Vec::new();
    for (name, value) in table {
        let outer = name.get_ref();
        match value.get_ref() {
            DeValue::Table(inner) => {
                for (name, value) in inner {
                    let at = name.span().start;
                    flat.push((format!("{outer}.{}", name.get_ref()), at, value));
                }
            }
            _ => flat.push((outer.to_string(), name.span().start, value)),
        }
    }
    flat
}

/// The line, counted from 1, that holds the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Layers, String> {
        let mut layers = Layers::defaults();
        let read = layers.file(Path::new("/etc/o/oubliette.toml"), text);
        read.map(|()| layers).map_err(|failure| failure.to_string())
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let mut layers = file("listen = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n").unwrap();
        let variable = |name: &str, value: &str| (name.into(), value.into());
        let strangers = layers
            .environment(
                [
                    variable("OUBLIETTE_LISTEN", "127.0.0.1:2"),
                    variable("OUBLIETTE_LOG_LEVEL", ""),
                    variable("OUBLIETTE_LOG_LEVLE", "debug"),
                    variable("PATH", "/bin"),
                ]
                .into_iter(),
            )
            .unwrap();
        assert_eq!(
            strangers,
            ["OUBLIETTE_LOG_LEVLE is no setting (is OUBLIETTE_LOG_LEVEL meant?)"]
        );
        let origin = |layers: &Layers, name| layers.value(name).unwrap().origin.to_string();
        assert_eq!(origin(&layers, "listen"), "OUBLIETTE_LISTEN");
        assert_eq!(origin(&layers, "log.level"), "/etc/o/oubliette.toml:3");
        assert_eq!(origin(&layers, "store.kind"), "default");
        layers.assignment("listen=127.0.0.1:3").unwrap();
        assert_eq!(layers.value("listen").unwrap().text, "127.0.0.1:3");
    }

    #[test]
    fn a_file_is_read_strictly_and_its_paths_start_at_its_folder() {
        let layers = file("data_dir = \"bodies\"\nkeys_dir = \"/var/keys\"\n").unwrap();
        assert_eq!(layers.value("data_dir").unwrap().text, "/etc/o/bodies");
        assert_eq!(layers.value("keys_dir").unwrap().text, "/var/keys");
        for (text, message) in [
            ("a = 1\n", "/etc/o/oubliette.toml:1: a is no setting"),
            (
                "\n[store]\nbuket = \"b\"",
                "oubliette.toml:3: store.buket is no setting: is store.bucket meant?",
            ),
            ("listen = [1]", "listen is one value, such as a string, no array"),
            ("listen = ", "oubliette.toml:1: "),
            ("[log.level]\nx = 1", "log.level is one value"),
        ] {
            let error = file(text).err().unwrap();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn an_assignment_without_a_value_is_not_repeated() {
        let error = Layers::defaults().assignment("sk-secret").unwrap_err().to_string();
        assert!(!error.contains("sk-secret"), "{error}");
    }
}
