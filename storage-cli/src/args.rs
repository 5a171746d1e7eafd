//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use storage::PresignMethod;

use crate::commands::add::AddArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::walk::WalkArgs;
use crate::commands::watch::WatchArgs;

/// One contract for storage: directories, memory, S3 buckets and whatever else this build has drivers for.
#[derive(Debug, Parser)]
#[command(name = "storage", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Print one JSON object a line, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// The settings file, instead of storage.toml, .yaml, .yml or .json of the current directory
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
A PLACE is a location (a path, file:///dir/name, s3://bucket/key, memory://name/key) or @data/KEY, @system/KEY, @cache/KEY under a root.

Settings: a settings file, then .env, then the environment, later wins. Names in any case.
  Roots        DATA_ROOT_DIRECTORY, SYSTEM_ROOT_DIRECTORY, CACHE_ROOT_DIRECTORY, STORAGE_BACKEND (local, memory, s3)
  Directories  STORAGE_LOCAL_DURABILITY
  S3, where    STORAGE_BUCKET_NAME, AWS_ENDPOINT_URL, AWS_REGION, AWS_CA_BUNDLE, STORAGE_S3_ADDRESSING, _USE_SSL,
               _SERVICE, _PROXY, _TLS_ROOTS
  S3, who      AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_ROLE_ARN,
               AWS_WEB_IDENTITY_TOKEN_FILE and what else the AWS tools read, STORAGE_S3_ANONYMOUS
  S3, how      STORAGE_S3_CONDITIONS, _CHECKSUM, _SIGN_PAYLOAD, _PART_SIZE, _PART_CONCURRENCY, _STORAGE_CLASS,
               _ENCRYPTION, _KMS_KEY_ID, _REQUESTER_PAYS, _ATTEMPTS, _CONNECTIONS, _CONNECT_TIMEOUT,
               _ANSWER_TIMEOUT, _OPERATION_TIMEOUT
`storage roots` shows what they come to.

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 not found, 4 denied, 130 interrupted, 143 terminated.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show where each root lies, what put it there, whether it can be used, and what it can do
    #[command(
        after_help = "JSON: root, location, driver, setting and source (of what put it there, else null), state \
                      (exists, read_only, unlisted, unmade, unusable), capabilities."
    )]
    Roots,
    /// Take files, directories, locations and text into the data root
    Add(AddArgs),
    /// List a place
    Ls(ListArgs),
    /// List what lies under a place and passes a filter, and report what was left out
    Walk(WalkArgs),
    /// Tell what differs from the last time under a place, and then each change as it comes
    Watch(WatchArgs),
    /// Print the bytes of objects
    Cat {
        /// What to print
        #[arg(required = true, value_name = "PLACE")]
        places: Vec<String>,
    },
    /// Copy objects from any place to any place, attributes included
    Cp(TransferArgs),
    /// Move objects from any place to any place
    Mv(TransferArgs),
    /// Remove objects
    Rm(RemoveArgs),
    /// Show what is known of an object, or how much there is under a level
    #[command(after_help = "JSON: key, uri, size, etag, last_modified, attributes, path; of a level: uri, objects, \
                            bytes, skipped.")]
    Stat {
        /// What to look at
        place: String,
    },
    /// Hold places to the storage contract, rule by rule, and tell which rules hold
    Conformance(ConformanceArgs),
    /// Find out why a place does not work: settings, network, credentials, rights, one by one, each with what to do
    Doctor(DoctorArgs),
    /// Print a URL that does one thing with an object for whoever holds it
    Presign(PresignArgs),
    /// Start an S3 server in memory, on this machine alone, to try things with
    #[cfg(feature = "s3-server")]
    S3Server(S3ServerArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Keys and common prefixes come in ascending order of their bytes. Those of a root count from the root, those \
                  of a location from the location.\n\
                  JSON: key, uri, size, etag, last_modified; for a common prefix: prefix, uri; for a name that no key can \
                  express: skipped, reason."
)]
pub(crate) struct ListArgs {
    /// What to list
    #[arg(default_value = "@data")]
    pub(crate) place: String,
    /// List all keys under the place instead of one level
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A destination that ends in '/', or is a directory or a whole root, takes the name of the source.\n\
                  JSON, for each object: from, to, size."
)]
pub(crate) struct TransferArgs {
    /// Where from
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// Where to
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// Take everything under FROM, with its keys counted from there
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "The object is not looked at: whether it exists and may be used shows when the URL is.\n\
                  JSON: method, url, headers (to send with it), expires.")]
pub(crate) struct PresignArgs {
    /// The object
    pub(crate) place: String,
    /// What the URL does
    #[arg(long, value_enum, default_value_t = Method::Get)]
    pub(crate) method: Method,
    /// How long it does it: 30s, 15m, 1h, 7d
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) expires: humantime::Duration,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It works under a name of its own below each place, conformance-… with 16 random digits, reads and writes \
                  nothing else, and removes it at the end, also after Ctrl-C. The place has to be there.\n\
                  A rule that a declared capability waives is no failure; one that is broken ends the program with 1, and so \
                  does something that could not be removed.\n\
                  JSON, for each place: suite, backend (driver, location, capabilities), seed, seconds, totals, rules (id, \
                  name, group, title, text, why, seconds, outcome and its reason, steps, left_out), clean_up (outcome: done, \
                  unseen or failed, and its reason)."
)]
pub(crate) struct ConformanceArgs {
    /// Directories, buckets, stores, or what is under a path of one
    #[arg(required = true, value_name = "LOCATION")]
    pub(crate) locations: Vec<String>,
    /// Ask only these rules: groups (C), ids (W01) or names, parted by commas
    #[arg(long, value_name = "RULES")]
    pub(crate) rules: Option<String>,
    /// The seed of everything random
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Write one page with the matrix of rules and places, and what failed in full
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Make places that are missing; they stay
    #[arg(long)]
    pub(crate) create: bool,
    /// Serve a run as one of its other processes
    #[arg(long, hide = true)]
    pub(crate) worker: bool,
}

#[cfg(feature = "s3-server")]
#[derive(Debug, clap::Args)]
#[command(after_help = "It listens on 127.0.0.1, tells every request, and ends with Ctrl-C and all it holds.\n\
                  JSON: settings (by name, once), then for each request: operation, method, target, status.")]
pub(crate) struct S3ServerArgs {
    /// Buckets to begin with
    #[arg(value_name = "BUCKET", default_value = "demo")]
    pub(crate) buckets: Vec<String>,
    /// The port; 0 is any that is free
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The server's region
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// The access key that it knows
    #[arg(long, value_name = "KEY", default_value = "test-access-key")]
    pub(crate) access_key: String,
    /// The secret key of that access key
    #[arg(long, value_name = "SECRET", default_value = "test-secret-key")]
    pub(crate) secret_key: String,
    /// Answer 200 to conditional writes and ignore the condition, as some services do
    #[arg(long)]
    pub(crate) ignore_conditions: bool,
}

/// What a presigned URL does.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Delete,
}

impl From<Method> for PresignMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Head => Self::Head,
            Method::Put => Self::Put,
            Method::Delete => Self::Delete,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "JSON, for each place: place, removed (how many objects).")]
pub(crate) struct RemoveArgs {
    /// What to remove
    #[arg(required = true, value_name = "PLACE")]
    pub(crate) places: Vec<String>,
    /// Remove everything under the place
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Allow -r to empty a whole root, directory or store
    #[arg(long, requires = "recursive")]
    pub(crate) all: bool,
}
