//! Configuration: a file, then the environment, then flags; what is in force and where it came from.

mod known;
mod layers;
mod value;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use known::{KNOWN, Known};
pub(crate) use layers::{Layers, Written};
pub(crate) use value::moment;

use oubliette_service::RootLayout;

use crate::cli::Global;
use crate::failure::Failure;

/// The settings in force, checked one by one and together.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) keys_dir: PathBuf,
    pub(crate) root: RootLayout,
    pub(crate) listen: SocketAddr,
    pub(crate) rules_dir: Option<PathBuf>,
    pub(crate) store: Store,
    pub(crate) spool: Spool,
    pub(crate) queue: Queue,
    /// How far the clock may jump ahead for expiry to believe it.
    pub(crate) max_clock_jump: Duration,
    pub(crate) log: Log,
    pub(crate) url: Option<String>,
    pub(crate) api_key: Option<Secret>,
}

/// Where segments go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Folder(PathBuf),
    S3 {
        bucket: String,
        endpoint: Option<String>,
        region: Option<String>,
        path_style: Option<bool>,
    },
}

/// How much the spool may hold, and how long.
#[derive(Debug)]
pub(crate) struct Spool {
    pub(crate) max_bytes: u64,
    pub(crate) min_free_bytes: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) max_age: Duration,
    pub(crate) verify_uploads: bool,
}

/// How much may be in work at once.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) captures: usize,
    pub(crate) bytes: usize,
}

/// What is logged, and how.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) json: bool,
}

/// A value that is used and never shown.
pub(crate) struct Secret(String);

impl Secret {
    /// The value. Only to be sent to the server that it is meant for.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Everything that was read, before it is checked.
pub(crate) struct Sources {
    /// The values in force.
    pub(crate) layers: Layers,
    /// The file, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// Variables that look like ours and name no setting.
    pub(crate) strangers: Vec<String>,
}

impl Sources {
    /// Reads the file, the environment and the flags.
    pub(crate) fn read(global: &Global) -> Result<Self, Failure> {
        let mut layers = Layers::defaults();
        let file = find_file(global)?;
        if let Some((path, text)) = &file {
            layers.file(path, text)?;
        }
        let strangers = layers.environment(std::env::vars_os())?;
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        for (flag, name, value) in [
            ("--data-dir", "data_dir", global.data_dir.as_ref().map(path)),
            ("--keys-dir", "keys_dir", global.keys_dir.as_ref().map(path)),
            ("--url", "url", global.url.clone()),
            ("--api-key", "api_key", global.api_key.clone()),
        ] {
            if let Some(value) = value {
                layers.flag(flag, name, value);
            }
        }
        global.set.iter().try_for_each(|assignment| layers.assignment(assignment))?;
        Ok(Self { layers, file: file.map(|(path, _)| path), strangers })
    }

    /// Checks the values.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::new(&self.layers)
    }
}

impl Settings {
    /// Reads and checks everything.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        Sources::read(global)?.settings()
    }

    /// The defaults with these `NAME=VALUE`s, whatever the environment says.
    pub(crate) fn assigned(assignments: &[&str]) -> Result<Self, Failure> {
        let mut layers = Layers::defaults();
        assignments.iter().try_for_each(|assignment| layers.assignment(assignment))?;
        Self::new(&layers)
    }

    fn new(layers: &Layers) -> Result<Self, Failure> {
        let data_dir: PathBuf = required(layers, "data_dir", path)?;
        let settings = Self {
            keys_dir: required(layers, "keys_dir", path)?,
            root: root(layers)?,
            listen: required(layers, "listen", |text| {
                text.parse().map_err(|_| "not an address like 127.0.0.1:7070".to_owned())
            })?,
            rules_dir: optional(layers, "rules_dir", path)?,
            store: store(layers, &data_dir)?,
            spool: Spool {
                max_bytes: required(layers, "spool.max_bytes", value::bytes)?,
                min_free_bytes: required(layers, "spool.min_free_bytes", value::bytes)?,
                segment_bytes: required(layers, "spool.segment_bytes", value::bytes)?,
                max_age: required(layers, "spool.max_age", value::duration)?,
                verify_uploads: required(layers, "spool.verify_uploads", value::truth)?,
            },
            queue: Queue {
                captures: required(layers, "queue.captures", count)?,
                bytes: required(layers, "queue.bytes", |text| {
                    value::bytes(text)?.try_into().map_err(|_| "too large".to_owned())
                })?,
            },
            max_clock_jump: required(layers, "expiry.max_clock_jump", value::duration)?,
            log: Log {
                level: required(layers, "log.level", log_level)?,
                json: required(layers, "log.format", |text| match text {
                    "text" => Ok(false),
                    "json" => Ok(true),
                    _ => Err("neither text nor json".to_owned()),
                })?,
            },
            url: optional(layers, "url", url)?,
            api_key: optional(layers, "api_key", |text| Ok(Secret(text.to_owned())))?,
            data_dir,
        };
        settings.check_together()?;
        Ok(settings)
    }

    fn check_together(&self) -> Result<(), Failure> {
        let mut homes = vec![("data_dir", self.data_dir.clone())];
        if let Store::Folder(objects) = &self.store {
            homes.push(("store.path", objects.clone()));
        }
        for (name, home) in homes {
            if resolved(&self.keys_dir).starts_with(resolved(&home)) {
                return Err(Failure::usage(format!(
                    "keys_dir ({}) lies inside {name} ({}): a copy of the data would carry the root \
                     key with it, and nothing shredded since would be gone; give keys_dir a place of \
                     its own",
                    self.keys_dir.display(),
                    home.display()
                )));
            }
        }
        if self.spool.max_bytes < self.spool.segment_bytes.saturating_mul(2) {
            return Err(Failure::usage(
                "spool.max_bytes has no room for two segments: raise it or lower \
                 spool.segment_bytes",
            ));
        }
        Ok(())
    }
}

/// The file that a flag or variable names, or the first of the usual ones that is there.
fn find_file(global: &Global) -> Result<Option<(PathBuf, String)>, Failure> {
    let variable = std::env::var_os(layers::CONFIG_VARIABLE).filter(|path| !path.is_empty());
    let named = global.config.clone().or(variable.map(|path: OsString| PathBuf::from(path)));
    let unreadable = |path: &Path, error: std::io::Error| {
        Failure::usage(format!("configuration {} cannot be read: {error}", path.display()))
    };
    if let Some(path) = named {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        return Ok(Some((path, text)));
    }
    for path in USUAL_FILES.map(PathBuf::from) {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path, error)),
        }
    }
    Ok(None)
}

const USUAL_FILES: [&str; 2] = ["oubliette.toml", "/etc/oubliette/oubliette.toml"];

fn optional<T>(
    layers: &Layers,
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    let Some(Written { text, origin }) = layers.value(name) else { return Ok(None) };
    read(text).map(Some).map_err(|why| {
        let secret = Known::by_name(name).is_some_and(|known| known.secret);
        let shown = if secret { String::new() } else { format!(" {text:?}") };
        Failure::usage(format!("{name}{shown} ({origin}) is wrong: {why}"))
    })
}

fn required<T>(
    layers: &Layers,
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    optional(layers, name, read)?
        .ok_or_else(|| Failure::usage(format!("{name} is not set: give it a value")))
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a path is missing".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "not a number from 1".to_owned())
}

fn log_level(text: &str) -> Result<String, String> {
    text.parse::<tracing_subscriber::filter::Targets>()
        .map(|_| text.to_owned())
        .map_err(|_| "neither error, warn, info, debug, trace nor target=level,…".to_owned())
}

fn url(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains('@') => Ok(trimmed.to_owned()),
        Some(rest) if rest.contains('@') => {
            Err("credentials do not belong in it: use OUBLIETTE_API_KEY".to_owned())
        }
        _ => Err("not an address like http://127.0.0.1:7070".to_owned()),
    }
}

fn root(layers: &Layers) -> Result<RootLayout, Failure> {
    let kind = required(layers, "root.kind", |kind| match kind {
        "file" | "tpm" | "pkcs11" => Ok(kind.to_owned()),
        _ => Err("neither file nor tpm nor pkcs11".to_owned()),
    })?;
    let text = |name| optional(layers, name, |text| Ok(text.to_owned()));
    let (device, module) = (optional(layers, "root.device", path)?, text("root.module")?);
    let index = optional(layers, "root.nv_index", |text| {
        let hex = text.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
        hex.filter(|index| index >> 24 == 1)
            .ok_or_else(|| "not an index like 0x01800b1e".to_owned())
    })?;
    let (token, key_label) = (text("root.token")?, text("root.key_label")?);
    let pin_file = optional(layers, "root.pin_file", path)?;
    let is_of_tpm = device.is_some() || index.is_some();
    let is_of_pkcs11 = [module.is_some(), token.is_some(), key_label.is_some(), pin_file.is_some()];
    let is_of_pkcs11 = is_of_pkcs11.contains(&true);
    match kind.as_str() {
        _ if is_of_tpm && kind != "tpm" => Err(Failure::usage(
            "root.device and root.nv_index are for a TPM: set root.kind to tpm or take them away",
        )),
        _ if is_of_pkcs11 && kind != "pkcs11" => Err(Failure::usage(
            "root.module, token, key_label and pin_file are for PKCS#11: set root.kind to pkcs11 or take \
             them away",
        )),
        "file" => Ok(RootLayout::File),
        "tpm" => Ok(RootLayout::Tpm {
            device: device.unwrap_or_else(|| PathBuf::from("/dev/tpmrm0")),
            index: index.unwrap_or(DEFAULT_NV_INDEX),
        }),
        _ => match (module, token, pin_file) {
            (Some(module), Some(token), Some(pin_file)) => Ok(RootLayout::Pkcs11 {
                module: module.into(),
                token,
                key_label: key_label.unwrap_or_else(|| "oubliette".to_owned()),
                pin_file,
            }),
            _ => Err(Failure::usage(
                "root.kind = pkcs11 needs root.module, root.token and root.pin_file",
            )),
        },
    }
}

/// In the range that a machine's owner may use; see `TpmRootStore::NV_INDEX`.
const DEFAULT_NV_INDEX: u32 = 0x0180_0b1e;

fn store(layers: &Layers, data_dir: &Path) -> Result<Store, Failure> {
    let text = |name| optional(layers, name, |text| Ok(text.to_owned()));
    let kind = required(layers, "store.kind", |kind| match kind {
        "folder" | "s3" => Ok(kind.to_owned()),
        _ => Err("neither folder nor s3".to_owned()),
    })?;
    let (bucket, endpoint, region) =
        (text("store.bucket")?, text("store.endpoint")?, text("store.region")?);
    let path_style = optional(layers, "store.path_style", value::truth)?;
    let folder = optional(layers, "store.path", path)?;
    match (kind.as_str(), bucket) {
        ("folder", None) if endpoint.is_none() && region.is_none() && path_style.is_none() => {
            Ok(Store::Folder(folder.unwrap_or_else(|| data_dir.join("objects"))))
        }
        ("folder", _) => Err(Failure::usage(
            "store.kind is folder, but there are settings for s3: set store.kind to s3 or take \
             store.bucket, endpoint, region and path_style away",
        )),
        (_, None) => Err(Failure::usage("store.bucket is not set: store.kind = s3 needs one")),
        (_, Some(_)) if folder.is_some() => Err(Failure::usage(
            "store.kind is s3, but store.path is set: take it away or set store.kind to folder",
        )),
        (_, Some(bucket)) => Ok(Store::S3 { bucket, endpoint, region, path_style }),
    }
}

/// The path without links and `..`, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    let mut there = absolute.as_path();
    loop {
        if let Ok(real) = there.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| match name {
                // `absolute` keeps these; what is missing has no links to follow.
                std::path::Component::ParentDir => path.parent().map_or(path.clone(), Into::into),
                name => path.join(name),
            });
        }
        let (Some(parent), Some(name)) = (there.parent(), there.components().next_back()) else {
            return absolute;
        };
        missing.push(name);
        there = parent;
    }
}

#[cfg(test)]
mod tests;
