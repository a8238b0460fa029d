//! Just enough of URLs for a test: absolute ones, and paths of the same host in redirects.

/// A URL in the parts that `wasi:http` wants. Nothing is normalised: what a test writes is what the host gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) authority: String,
    pub(crate) path_with_query: String,
}

impl Url {
    /// Takes an absolute URL apart.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path_with_query = if path.is_empty() { "/" } else { path }.to_owned();
        Some(Self { scheme: scheme.to_owned(), authority: authority.to_owned(), path_with_query })
    }

    /// Resolves what a redirect says.
    pub(crate) fn join(&self, location: &str) -> Option<Self> {
        if let Some(rest) = location.strip_prefix("//") {
            Self::parse(&format!("{}://{rest}", self.scheme))
        } else if location.starts_with('/') {
            Some(Self { path_with_query: location.to_owned(), ..self.clone() })
        } else {
            Self::parse(location)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (text, parts) in [
            ("http://a.example", ("http", "a.example", "/")),
            ("https://u@a.example:1/b?c", ("https", "u@a.example:1", "/b?c")),
            ("http://[::1]?c", ("http", "[::1]", "?c")),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((&*url.scheme, &*url.authority, &*url.path_with_query), parts);
        }
        let base = Url::parse("https://a.example/b").unwrap();
        assert_eq!(base.join("/c"), Url::parse("https://a.example/c"));
        assert_eq!(base.join("//b.example/c"), Url::parse("https://b.example/c"));
        assert_eq!(base.join("http://c.example/"), Url::parse("http://c.example/"));
        assert_eq!(base.join("c"), None);
    }
}
