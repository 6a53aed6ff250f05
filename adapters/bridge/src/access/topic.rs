//! Names of topics, compared as bytes: no globs, no case, no normalisation.

/// Longest name that Kafka has.
const MAX_NAME: usize = 249;

/// May a page write to a topic of this name, if its token says so? Names that begin with an
/// underscore are for Kafka's and its tools' own topics (`__consumer_offsets`, `_schemas`).
pub(crate) fn is_legal(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(legal)
        && name != "."
        && name != ".."
        && !name.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::is_legal;

    #[test]
    fn names_that_are_not_plain_are_none() {
        let long = "a".repeat(250);
        for name in ["", ".", "..", "_schemas", "__consumer_offsets", "a b", "a/b", "a%2eb", "a\0"]
        {
            assert!(!is_legal(name), "{name:?}");
        }
        for name in ["*", "a*", "events\u{200b}", "\u{ff45}vents", "\u{e9}v\u{e9}nements", &long] {
            assert!(!is_legal(name), "{name:?}");
        }
        for name in ["a", "Events", "a.b_c-9", "...", &long[1..]] {
            assert!(is_legal(name), "{name:?}");
        }
    }
}
