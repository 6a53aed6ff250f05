//! Which pages may connect: the `Origin` header against a list, byte by byte.

/// The origins that are let in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    allowed: Vec<String>,
    allow_absent: bool,
}

/// What an `Origin` header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin<'a> {
    /// No header: not a browser.
    Absent,
    /// More than one header, or one that is no text.
    Garbled,
    Named(&'a str),
}

impl Origins {
    /// # Errors
    /// An entry that no browser sends: with a path, without a scheme, `*` or `null`.
    pub(crate) fn new(allowed: &[String], allow_absent: bool) -> Result<Self, String> {
        match allowed.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(format!(
                "auth.origins: {origin:?} is no origin; write scheme://host, with :port if it is not \
                 the scheme's own, in small letters, without a path or wildcards"
            )),
            None => Ok(Self { allowed: allowed.to_vec(), allow_absent }),
        }
    }

    /// May it open a WebSocket?
    pub(crate) fn allows(&self, origin: Origin<'_>) -> bool {
        match origin {
            Origin::Absent => self.allow_absent,
            Origin::Garbled => false,
            Origin::Named(name) => self.allowed.iter().any(|allowed| allowed == name),
        }
    }

    /// May it post? Without an `Origin` the request is from no page, and it has a token of its own
    /// that no browser adds by itself.
    pub(crate) fn allows_post(&self, origin: Origin<'_>) -> bool {
        origin == Origin::Absent || self.allows(origin)
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let host_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_[]:".contains(&byte);
    !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && !host.is_empty()
        && host.bytes().all(host_byte)
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_same_origin() {
        let allowed = ["https://example.com".to_owned(), "http://localhost:8080".to_owned()];
        let origins = Origins::new(&allowed, false).expect("origins");
        assert!(origins.allows(Origin::Named("https://example.com")));
        assert!(origins.allows(Origin::Named("http://localhost:8080")));
        for other in [
            "null",
            "",
            "https://evil-example.com",
            "https://example.com.evil.org",
            "https://example.com:443",
            "https://example.com/",
            "http://example.com",
            "https://EXAMPLE.com",
            "https://www.example.com",
            "https://example.com https://evil.org",
            "http://localhost",
            "http://localhost:80800",
            "https://ex\u{430}mple.com",
        ] {
            assert!(!origins.allows(Origin::Named(other)), "{other}");
            assert!(!origins.allows_post(Origin::Named(other)), "{other}");
        }
        assert!(!origins.allows(Origin::Absent) && !origins.allows(Origin::Garbled));
        assert!(origins.allows_post(Origin::Absent) && !origins.allows_post(Origin::Garbled));
    }

    #[test]
    fn what_no_browser_sends_is_not_configured() {
        for bad in ["*", "null", "example.com", "https://*.example.com", "https://a.b/", "https://"]
        {
            assert!(Origins::new(&[bad.to_owned()], false).is_err(), "{bad}");
        }
        for good in
            ["https://a.b", "http://[::1]:3000", "http://127.0.0.1:1", "chrome-extension://ab"]
        {
            assert!(Origins::new(&[good.to_owned()], false).is_ok(), "{good}");
        }
    }
}
