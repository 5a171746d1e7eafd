//! What a request is about: bucket, key and query, from the request line and the `Host` header.

use hyper::header::HOST;
use hyper::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;

/// A request's bucket and key, decoded once and otherwise untouched, and its query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    query: Vec<(String, String)>,
}

impl Target {
    /// Virtual-host style if the host is a label below `localhost` or `domain`, path style else. `None` if a path
    /// or query is no UTF-8.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, domain: Option<&str>) -> Option<Self> {
        let path = percent_decode_str(uri.path()).decode_utf8().ok()?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = match host_bucket(headers, domain) {
            Some(bucket) => (Some(bucket), Some(path)),
            None => match path.split_once('/') {
                Some((bucket, key)) => (Some(bucket.to_owned()), Some(key)),
                None => (Some(path.to_owned()), None),
            },
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Some(Self {
            bucket: bucket.as_deref().and_then(some),
            key: key.and_then(some),
            query: query.map(query_pair).collect::<Option<_>>()?,
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.query(name).is_some()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// `/bucket/key`, as error documents name it.
    pub(crate) fn resource(&self) -> String {
        match (&self.bucket, &self.key) {
            (Some(bucket), Some(key)) => format!("/{bucket}/{key}"),
            (Some(bucket), None) => format!("/{bucket}"),
            (None, _) => "/".to_owned(),
        }
    }
}

fn host_bucket(headers: &HeaderMap, domain: Option<&str>) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    [Some("localhost"), domain].into_iter().flatten().find_map(|domain| {
        let bucket = host.strip_suffix(domain)?.strip_suffix('.')?;
        Some(bucket.to_owned())
    })
}

/// In a query a `+` is a space, as in forms.
fn query_pair(pair: &str) -> Option<(String, String)> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
    };
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((decoded(name)?, decoded(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, uri: &str) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let target = Target::of(&uri.parse().unwrap(), &headers, Some("s3.test")).unwrap();
        (target.bucket, target.key)
    }

    #[test]
    fn bucket_and_key_are_found_in_path_and_host() {
        let found = |bucket: &str, key: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            (some(bucket), some(key))
        };
        for (host, uri, expected) in [
            ("127.0.0.1:9", "/", found("", "")),
            ("127.0.0.1:9", "/b", found("b", "")),
            ("127.0.0.1:9", "/b/", found("b", "")),
            ("127.0.0.1:9", "/b//", found("b", "/")),
            ("127.0.0.1:9", "/b/a//./../c%2Fd%25+%20/?x=/", found("b", "a//./../c/d%+ /")),
            ("localhost:9", "/b/k", found("b", "k")),
            ("b.localhost:9", "/", found("b", "")),
            ("b.localhost:9", "/a/b", found("b", "a/b")),
            ("b.c.s3.test", "//a", found("b.c", "/a")),
            ("s3.test", "/b/k", found("b", "k")),
        ] {
            assert_eq!(target(host, uri), expected, "{host} {uri}");
        }
    }
}
