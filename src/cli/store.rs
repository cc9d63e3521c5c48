//! Commands on the object store, the segments in it, and the catalog's way back from them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Shown;

/// Look after the object store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write the lifecycle rules, read them back, and try out the store
    ///
    /// One rule for each retention class, by prefix only; rules of others stay. Needs the permission
    /// to change the bucket's lifecycle configuration, which the sidecar then can do without.
    #[command(after_help = "Examples:
  oubliette store init
  oubliette store init --set store.kind=s3 --set store.bucket=bodies --set store.region=eu-central-1

Exit code: 0 if bodies can be kept there, 1 if not.")]
    Init(Shown),
    /// Try out the store: what the server does, what it does not, and whether bodies can be kept
    ///
    /// Writes a small object of its own, reads it whole and in parts, and removes it. Works while a
    /// server is running.
    #[command(after_help = "Examples:
  oubliette store check
  oubliette store check --json

Exit code: 0 if bodies can be kept there, 1 if not.")]
    Check(Shown),
    /// Remove segments in which nothing can be opened any more
    ///
    /// Also moves what is alive out of mostly dead segments, and gives records without a row theirs.
    /// A running server does the first two by itself.
    #[command(after_help = "Examples:
  oubliette store sweep")]
    Sweep(Shown),
}

/// Look at segments: files of many sealed records. Nothing is opened, no key is needed.
#[derive(Debug, Subcommand)]
pub(crate) enum SegmentCommand {
    /// List the segments in the object store
    #[command(after_help = "Examples:
  oubliette segment list
  oubliette segment list --prefix r7/2026/10/")]
    List(SegmentList),
    /// Show what a segment says of itself, and its records
    ///
    /// SEGMENT is a key in the object store or a file. Reads the index only.
    #[command(after_help = "Examples:
  oubliette segment inspect r7/2026/10/31/12/01M68X9EG07Y0X7XZERHCHQQKX.seg
  oubliette segment inspect --records oubliette-data/spool/r7-01M68X9EG07Y0X7XZERHCHQQKX.seg")]
    Inspect(SegmentInspect),
    /// Check every byte of segments against their checksums
    ///
    /// Each SEGMENT is a key in the object store or a file; without any, all of the object store.
    #[command(after_help = "Examples:
  oubliette segment verify
  oubliette segment verify r7/2026/10/31/12/01M68X9EG07Y0X7XZERHCHQQKX.seg

Exit code: 0 if all are as they were written, 1 if not.")]
    Verify(SegmentVerify),
}

#[derive(Debug, Args)]
pub(crate) struct SegmentList {
    /// Only keys that begin with this
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct SegmentInspect {
    /// A key in the object store, or a file
    #[arg(value_name = "SEGMENT")]
    pub(crate) segment: PathBuf,
    /// Show every record: place, length, account tag and leaf address
    #[arg(long)]
    pub(crate) records: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct SegmentVerify {
    /// Keys in the object store, or files
    #[arg(value_name = "SEGMENT")]
    pub(crate) segments: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Look after the catalog.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Give every record of the object store that has a key and no row its row back
    ///
    /// From what is sealed inside the records. Accounts that are missing are made again with capture
    /// switched off. Settings, tickets, grants, API keys and the audit are not in records and do not
    /// come back; neither does what was shredded or has expired. The key pages must be there.
    #[command(after_help = "Examples:
  oubliette catalog rebuild
  oubliette catalog rebuild --json             a line of JSON for each step")]
    Rebuild(Shown),
}
