//! Options from settings.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use storage_core::settings::{STORAGE_BUCKET_NAME, Setting};
use storage_core::{Error, Result, Settings};

use crate::options::{
    Addressing, BUCKET_HELP, ChainOptions, ChecksumPolicy, ConditionPolicy, Credentials, ENDPOINT_HELP, Encryption,
    Endpoint, PART_SIZES, PayloadSigning, Retries, S3Options, Timeouts, TlsOptions, TlsRoots, check_bucket,
};
use crate::service::Service;

pub(crate) const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub(crate) const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
pub(crate) const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// What the credential chain reads, by the names of the AWS tools.
pub(crate) const CHAIN: [&str; 22] = [
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EXTERNAL_ID",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SSO_ACCOUNT_ID",
    "AWS_SSO_ENDPOINT",
    "AWS_SSO_REGION",
    "AWS_SSO_ROLE_NAME",
    "AWS_SSO_START_URL",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
];

/// The names of this driver's own settings, all without a secret.
pub(crate) const OWN: [&str; 20] = [
    "STORAGE_S3_ADDRESSING",
    "STORAGE_S3_ANONYMOUS",
    "STORAGE_S3_ANSWER_TIMEOUT",
    "STORAGE_S3_ATTEMPTS",
    "STORAGE_S3_CHECKSUM",
    "STORAGE_S3_CONDITIONS",
    "STORAGE_S3_CONNECTIONS",
    "STORAGE_S3_CONNECT_TIMEOUT",
    "STORAGE_S3_ENCRYPTION",
    "STORAGE_S3_KMS_KEY_ID",
    "STORAGE_S3_OPERATION_TIMEOUT",
    "STORAGE_S3_PART_CONCURRENCY",
    "STORAGE_S3_PART_SIZE",
    "STORAGE_S3_PROXY",
    "STORAGE_S3_REQUESTER_PAYS",
    "STORAGE_S3_SERVICE",
    "STORAGE_S3_SIGN_PAYLOAD",
    "STORAGE_S3_STORAGE_CLASS",
    "STORAGE_S3_TLS_ROOTS",
    "STORAGE_S3_USE_SSL",
];

impl S3Options {
    /// The options that settings give for a bucket and what is under a prefix of it. Names count in any case.
    ///
    /// | setting | value |
    /// |---|---|
    /// | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | both or none; with them nothing else is read for credentials |
    /// | `AWS_SESSION_TOKEN` | of temporary keys |
    /// | `AWS_PROFILE`, `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`, … | what the AWS tools read; only without keys |
    /// | `AWS_REGION`, else `AWS_DEFAULT_REGION` | `eu-west-1`, or `auto` |
    /// | `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL` | `https://host:port`, or `host:port` |
    /// | `AWS_CA_BUNDLE` | a PEM file; a relative path counts from the file that names it |
    /// | `STORAGE_S3_USE_SSL` | whether an endpoint without a scheme is reached by TLS: `true` |
    /// | `STORAGE_S3_ADDRESSING` | `auto`, `path` or `virtual` |
    /// | `STORAGE_S3_ANONYMOUS` | `true`: requests are not signed, whatever keys there are |
    /// | `STORAGE_S3_SERVICE` | `aws`, `minio`, `ceph`, `r2`, `garage`, …: see [`Service`] |
    /// | `STORAGE_S3_CONDITIONS` | `service`, `all`, `none` or `probe`: see [`ConditionPolicy`] |
    /// | `STORAGE_S3_PROXY` | `http://host:port`; the variables that other programs take are not read |
    /// | `STORAGE_S3_TLS_ROOTS` | `system` or `bundled` |
    /// | `STORAGE_S3_CONNECT_TIMEOUT`, `_ANSWER_TIMEOUT`, `_OPERATION_TIMEOUT` | `5s`, `30s`, `2m` |
    /// | `STORAGE_S3_ATTEMPTS` | 1 to 100; the first one counts |
    /// | `STORAGE_S3_CONNECTIONS` | 1 to 10000 |
    /// | `STORAGE_S3_PART_SIZE` | `8MiB`; 5 MiB to 5 GiB |
    /// | `STORAGE_S3_PART_CONCURRENCY` | 1 to 1000 |
    /// | `STORAGE_S3_CHECKSUM` | `service`, `none`, `crc32c` or `crc64nvme` |
    /// | `STORAGE_S3_SIGN_PAYLOAD` | `auto`, `always` or `never` |
    /// | `STORAGE_S3_STORAGE_CLASS` | `STANDARD_IA` |
    /// | `STORAGE_S3_ENCRYPTION` | `AES256`, or `aws:kms` with `STORAGE_S3_KMS_KEY_ID` |
    /// | `STORAGE_S3_REQUESTER_PAYS` | `true` |
    ///
    /// No file is read here. Fails with `Configuration`, naming the setting, its source and what is expected; a
    /// `STORAGE_S3_` name that is none of these is an error too.
    pub fn from_settings(bucket: &str, prefix: &str, settings: &Settings) -> Result<Self> {
        let read = Reader(settings);
        read.refuse_unknown_names()?;
        read.check_bucket(bucket)?;
        let mut options = Self::new(bucket);
        options.prefix = prefix.to_owned();
        options.use_ssl = read.flag("STORAGE_S3_USE_SSL")?.unwrap_or(true);
        options.endpoint = read.endpoint()?;
        options.region = read.region()?;
        options.addressing = read.choice(
            "STORAGE_S3_ADDRESSING",
            &[("auto", Addressing::Auto), ("path", Addressing::Path), ("virtual", Addressing::VirtualHost)],
        )?;
        options.credentials = read.credentials()?;
        options.service = read.service()?;
        options.conditions = read.choice(
            "STORAGE_S3_CONDITIONS",
            &[
                ("service", ConditionPolicy::Service),
                ("all", ConditionPolicy::All),
                ("none", ConditionPolicy::None),
                ("probe", ConditionPolicy::Probe),
            ],
        )?;
        options.tls = read.tls()?;
        options.proxy = read.proxy()?;
        options.timeouts = read.timeouts()?;
        options.retries = read.retries()?;
        options.connections = read.number("STORAGE_S3_CONNECTIONS", 1..=10_000)?.unwrap_or(options.connections);
        options.part_size = read.part_size()?.unwrap_or(options.part_size);
        options.part_concurrency =
            read.number("STORAGE_S3_PART_CONCURRENCY", 1..=1000)?.unwrap_or(options.part_concurrency);
        options.checksum = read.choice(
            "STORAGE_S3_CHECKSUM",
            &[
                ("service", ChecksumPolicy::Service),
                ("none", ChecksumPolicy::None),
                ("crc32c", ChecksumPolicy::Crc32c),
                ("crc64nvme", ChecksumPolicy::Crc64Nvme),
            ],
        )?;
        options.payload_signing = read.choice(
            "STORAGE_S3_SIGN_PAYLOAD",
            &[("auto", PayloadSigning::Auto), ("always", PayloadSigning::Signed), ("never", PayloadSigning::Unsigned)],
        )?;
        options.storage_class = read.header_text("STORAGE_S3_STORAGE_CLASS", "a class such as STANDARD_IA")?;
        options.encryption = read.encryption()?;
        options.requester_pays = read.flag("STORAGE_S3_REQUESTER_PAYS")?.unwrap_or(false);
        Ok(options)
    }
}

/// Settings, read as this driver has them.
struct Reader<'a>(&'a Settings);

impl Reader<'_> {
    /// A setting whose value may be shown.
    fn public(&self, name: &str) -> Result<Option<Setting>> {
        Ok(self.0.get(name)?.map(Setting::public))
    }

    /// The first of these names that is set.
    fn first(&self, names: &[&str]) -> Result<Option<Setting>> {
        for name in names {
            if let Some(setting) = self.public(name)? {
                return Ok(Some(setting));
            }
        }
        Ok(None)
    }

    fn refuse_unknown_names(&self) -> Result<()> {
        let Some(name) = self.0.names_under("STORAGE_S3_").find(|name| !OWN.contains(name)) else {
            return Ok(());
        };
        let nearest = OWN.into_iter().min_by_key(|own| strsim::osa_distance(own, name)).unwrap_or(OWN[0]);
        // A value of a name that nobody knows may be a secret.
        match self.0.get(name)? {
            Some(setting) => Err(setting.refused("there is no such setting", format_args!("{nearest}, or none"))),
            None => Ok(()),
        }
    }

    /// The name comes of a location, or of the setting that stands for one.
    fn check_bucket(&self, bucket: &str) -> Result<()> {
        let Err(why) = check_bucket(bucket) else {
            return Ok(());
        };
        match self.public(STORAGE_BUCKET_NAME)? {
            Some(setting) if setting.value() == bucket => Err(setting.refused(why, BUCKET_HELP)),
            _ => {
                Err(Error::configuration(format!("the bucket's name {bucket:?} is refused: {why}"))
                    .with_help(BUCKET_HELP))
            }
        }
    }

    fn endpoint(&self) -> Result<Option<String>> {
        let Some(setting) = self.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])? else {
            return Ok(None);
        };
        let ssl = self.flag("STORAGE_S3_USE_SSL")?;
        let endpoint = Endpoint::parse(setting.value(), ssl.unwrap_or(true)).map_err(|why| {
            // What is not shown may be the secret of a URL that was signed.
            let shown = !setting.value().contains(['?', '#']);
            let setting =
                if shown { Some(setting.clone()) } else { self.0.get(setting.name()).ok().flatten().cloned() };
            setting.map_or_else(|| Error::configuration(why), |setting| setting.refused(why, ENDPOINT_HELP))
        })?;
        if ssl.is_some_and(|ssl| ssl != endpoint.tls) {
            let expected = format_args!("{}, or a STORAGE_S3_USE_SSL that agrees with it", ENDPOINT_HELP);
            return Err(setting.refused("its scheme is not what STORAGE_S3_USE_SSL says", expected));
        }
        Ok(Some(format!("{}://{}", if endpoint.tls { "https" } else { "http" }, endpoint.authority)))
    }

    fn region(&self) -> Result<Option<String>> {
        let Some(setting) = self.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])? else {
            return Ok(None);
        };
        let region = setting.value();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match region.bytes().all(allowed) {
            true if region.eq_ignore_ascii_case("auto") => Ok(Some("auto".to_owned())),
            true => Ok(Some(region.to_owned())),
            false => Err(setting.refused("it is no region's name", "a name such as eu-west-1, or auto")),
        }
    }

    fn credentials(&self) -> Result<Credentials> {
        if self.flag("STORAGE_S3_ANONYMOUS")? == Some(true) {
            return Ok(Credentials::Anonymous);
        }
        let get = |name| self.0.get(name);
        let missing = |there: &Setting, name: &str| {
            Err(Error::configuration(format!("{} is set in {}, and {name} is not", there.name(), there.source()))
                .with_help(format!("set {name} too, or remove {}", there.name())))
        };
        match (get(ACCESS_KEY_ID)?, get(SECRET_ACCESS_KEY)?, get(SESSION_TOKEN)?) {
            (Some(id), Some(secret), token) => {
                self.check_key(id, "the id of an access key, such as AKIA…, without a space")?;
                self.check_key(secret, "the secret of an access key, without a space")?;
                token.map(|token| self.check_key(token, "the token of temporary keys, without a space")).transpose()?;
                Ok(Credentials::Keys {
                    access_key_id: id.value().to_owned(),
                    secret_access_key: secret.value().to_owned(),
                    session_token: token.map(|token| token.value().to_owned()),
                })
            }
            (Some(id), None, _) => missing(id, SECRET_ACCESS_KEY),
            (None, Some(secret), _) => missing(secret, ACCESS_KEY_ID),
            (None, None, Some(token)) => missing(token, ACCESS_KEY_ID),
            (None, None, None) => Ok(Credentials::Chain(self.chain()?)),
        }
    }

    /// A key that was copied with a space or a line break is told at once; its signature would only be wrong.
    fn check_key(&self, key: &Setting, expected: &str) -> Result<()> {
        match key.value().bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(()),
            false => Err(key.refused("it holds a space, a line break or a letter that is not ASCII", expected)),
        }
    }

    fn chain(&self) -> Result<ChainOptions> {
        let mut chain = ChainOptions::default();
        for name in CHAIN {
            if let Some(setting) = self.0.get(name)? {
                let value = match name {
                    "AWS_CONFIG_FILE" | "AWS_SHARED_CREDENTIALS_FILE" | "AWS_WEB_IDENTITY_TOKEN_FILE"
                        if !setting.value().starts_with('~') =>
                    {
                        self.path(setting).to_string_lossy().into_owned()
                    }
                    _ => setting.value().to_owned(),
                };
                chain.environment.push((name.to_owned(), value));
            }
        }
        Ok(chain)
    }

    /// The path that a setting names.
    fn path(&self, setting: &Setting) -> PathBuf {
        self.0.directory_of(setting).join(setting.value())
    }

    fn service(&self) -> Result<Option<Service>> {
        let setting = self.public("STORAGE_S3_SERVICE")?;
        setting.map(|setting| setting.choose(&Service::names()).map(Service::at)).transpose()
    }

    fn tls(&self) -> Result<TlsOptions> {
        let roots =
            self.choice("STORAGE_S3_TLS_ROOTS", &[("system", TlsRoots::System), ("bundled", TlsRoots::Bundled)])?;
        let ca_bundle = self.public("AWS_CA_BUNDLE")?.map(|setting| self.path(&setting));
        Ok(TlsOptions { roots, ca_bundle })
    }

    fn proxy(&self) -> Result<Option<String>> {
        let Some(setting) = self.public("STORAGE_S3_PROXY")? else {
            return Ok(None);
        };
        let refuse = |why: &str| Err(setting.refused(why, "http://host:port"));
        match Endpoint::parse(setting.value(), false) {
            Ok(endpoint) if endpoint.tls => refuse("the driver reaches a proxy by http only"),
            Ok(endpoint) => Ok(Some(format!("http://{}", endpoint.authority))),
            Err(why) if setting.value().contains(['?', '#']) => {
                Err(Error::configuration(format!("STORAGE_S3_PROXY, set in {}: {why}", setting.source()))
                    .with_help("expected: http://host:port"))
            }
            Err(why) => refuse(why),
        }
    }

    fn timeouts(&self) -> Result<Timeouts> {
        let default = Timeouts::default();
        Ok(Timeouts {
            connect: self.duration("STORAGE_S3_CONNECT_TIMEOUT")?.unwrap_or(default.connect),
            answer: self.duration("STORAGE_S3_ANSWER_TIMEOUT")?.unwrap_or(default.answer),
            operation: self.duration("STORAGE_S3_OPERATION_TIMEOUT")?.unwrap_or(default.operation),
        })
    }

    fn retries(&self) -> Result<Retries> {
        let default = Retries::default();
        let attempts = self.number("STORAGE_S3_ATTEMPTS", 1..=100)?.unwrap_or(default.attempts);
        Ok(Retries { attempts, ..default })
    }

    fn encryption(&self) -> Result<Option<Encryption>> {
        let key = self.header_text("STORAGE_S3_KMS_KEY_ID", "the id or the ARN of a key")?;
        let setting = self.public("STORAGE_S3_ENCRYPTION")?;
        match setting.as_ref().map(|setting| setting.choose(&["AES256", "aws:kms"])).transpose()? {
            Some(1) => Ok(Some(Encryption::Kms { key_id: key })),
            chosen => match (key, self.public("STORAGE_S3_KMS_KEY_ID")?) {
                (Some(_), Some(key)) => Err(key.refused(
                    "there is a key, and STORAGE_S3_ENCRYPTION is not aws:kms",
                    "STORAGE_S3_ENCRYPTION=aws:kms, or no key",
                )),
                _ => Ok(chosen.map(|_| Encryption::Aes256)),
            },
        }
    }

    /// Text that goes into a header as it is.
    fn header_text(&self, name: &str, expected: &str) -> Result<Option<String>> {
        let Some(setting) = self.public(name)? else {
            return Ok(None);
        };
        match setting.value().bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Some(setting.value().to_owned())),
            false => Err(setting.refused("it holds a space or a letter that is not ASCII", expected)),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "1", "0"];
        let Some(setting) = self.public(name)? else {
            return Ok(None);
        };
        match WORDS.iter().position(|word| word.eq_ignore_ascii_case(setting.value())) {
            Some(position) => Ok(Some(position % 2 == 0)),
            None => Err(setting.refused("it is no truth value", "true or false")),
        }
    }

    /// One of several values, the first of which stands for a setting that is not there.
    fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let position = self.public(name)?.map_or(Ok(0), |setting| setting.choose(&words))?;
        Ok(choices[position].1)
    }

    fn number<T>(&self, name: &str, bounds: RangeInclusive<T>) -> Result<Option<T>>
    where
        T: std::str::FromStr + PartialOrd + fmt::Display,
    {
        let Some(setting) = self.public(name)? else {
            return Ok(None);
        };
        let expected = || format!("a whole number from {} to {}", bounds.start(), bounds.end());
        match setting.value().parse() {
            Ok(number) if bounds.contains(&number) => Ok(Some(number)),
            Ok(_) => Err(setting.refused("it is out of bounds", expected())),
            Err(_) => Err(setting.refused("it is no such number", expected())),
        }
    }

    fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let Some(setting) = self.public(name)? else {
            return Ok(None);
        };
        let bounds = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        match humantime::parse_duration(setting.value()) {
            Ok(duration) if bounds.contains(&duration) => Ok(Some(duration)),
            Ok(_) => Err(setting.refused("it is out of bounds", "a time from 1ms to 24h")),
            Err(_) => Err(setting.refused("it is no time", "a number with its unit, such as 5s or 500ms")),
        }
    }

    fn part_size(&self) -> Result<Option<u64>> {
        let Some(setting) = self.public("STORAGE_S3_PART_SIZE")? else {
            return Ok(None);
        };
        match size(setting.value()) {
            Some(size) if PART_SIZES.contains(&size) => Ok(Some(size)),
            Some(_) => Err(setting.refused("no part of an upload can have this size", "5MiB to 5GiB")),
            None => Err(setting.refused("it is no size", "a whole number with its unit, such as 8MiB")),
        }
    }
}

/// A size in bytes: a whole number, alone or with a unit of 1024 in any case.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kib" => 10,
        "mib" => 20,
        "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
