//! Where the bridge connects to: brokers' names come from metadata, which somebody in the middle, or
//! a broker that was taken over, could make up to reach what only the bridge can reach.

use core::net::IpAddr;

/// The hosts that brokers may have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Egress {
    exact: Vec<String>,
    suffixes: Vec<String>,
    any: bool,
}

impl Egress {
    /// The bootstrap servers' hosts, and those listed: names, `.suffixes`, or `*`.
    pub(crate) fn new<'a>(bootstrap: impl Iterator<Item = &'a str>, listed: &[String]) -> Self {
        let mut egress = Self { exact: bootstrap.map(str::to_owned).collect(), ..Self::default() };
        for entry in listed {
            match entry.as_str() {
                "*" => egress.any = true,
                entry if entry.starts_with('.') => egress.suffixes.push(entry.to_owned()),
                entry => egress.exact.push(entry.to_owned()),
            }
        }
        egress
    }

    pub(crate) fn allows(&self, host: &str) -> bool {
        let is_suffixed = |suffix: &String| {
            host.strip_suffix(suffix.as_str()).is_some_and(|name| !name.is_empty())
        };
        self.any || self.is_listed(host) || self.suffixes.iter().any(is_suffixed)
    }

    /// May a host that is allowed have this address? None that leads to the machine itself or to its
    /// provider's metadata service, unless it was configured as such.
    pub(crate) fn allows_address(&self, host: &str, address: IpAddr) -> bool {
        if self.is_listed(host) && host.parse::<IpAddr>().is_ok() {
            return true;
        }
        match address.to_canonical() {
            IpAddr::V4(ip) if ip.is_link_local() || ip.is_broadcast() => false,
            IpAddr::V6(ip) if ip.is_unicast_link_local() => false,
            ip if ip.is_unspecified() || ip.is_multicast() => false,
            ip if ip.is_loopback() => self.is_listed("localhost") && host == "localhost",
            _ => true,
        }
    }

    fn is_listed(&self, host: &str) -> bool {
        self.exact.iter().any(|exact| exact == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn only_known_hosts_are_reached() {
        let listed = [".kafka.internal".to_owned(), "b9".to_owned()];
        let egress = Egress::new(["b1", "10.0.0.7"].into_iter(), &listed);
        for host in ["b1", "b9", "10.0.0.7", "x.kafka.internal"] {
            assert!(egress.allows(host), "{host}");
        }
        for host in ["b2", "kafka.internal", ".kafka.internal", "x.kafka.internal.evil", "B1", ""] {
            assert!(!egress.allows(host), "{host}");
        }
        assert!(Egress::new([].into_iter(), &["*".to_owned()]).allows("anything"));
    }

    #[test]
    fn a_name_that_leads_inside_is_not_followed() {
        let egress = Egress::new(["b1", "127.0.0.1"].into_iter(), &["*".to_owned()]);
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!egress.allows_address("b1", ip(inside)), "{inside}");
        }
        assert!(egress.allows_address("b1", ip("10.1.2.3")));
        assert!(egress.allows_address("127.0.0.1", ip("127.0.0.1")));
        assert!(!egress.allows_address("localhost", ip("127.0.0.1")));
        let local = Egress::new(["localhost"].into_iter(), &[]);
        assert!(local.allows_address("localhost", ip("::1")));
    }
}
