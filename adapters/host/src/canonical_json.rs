//! JSON as a key: one spelling for one meaning.

use core::fmt;

use serde_json::Value;

/// The largest integer up to which a double tells every integer from its neighbours: 2^53 - 1.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The one spelling of a JSON text (RFC 8785): without white space, names in order, numbers and
/// strings in their shortest form. A key of JSON should go through it: partitioners hash bytes, so
/// `{"a":1}` and `{"a": 1}` would have two partitions, and no order among them.
///
/// ```
/// use klamm_host::canonical_json;
///
/// let key = canonical_json(r#"{ "room": "kitchen", "floor": 1.0 }"#)?;
/// assert_eq!(key, br#"{"floor":1,"room":"kitchen"}"#);
/// # Ok::<(), klamm_host::JsonError>(())
/// ```
///
/// Numbers are doubles: digits beyond their precision are rounded. Of a name that an object has
/// twice the last one counts. Unicode is not normalized: one letter spelled by other code points is
/// another letter.
///
/// # Errors
/// The text is no JSON, is nested deeper than 127 levels, or has a number beyond 2^53 - 1, where a
/// double takes neighbouring integers for the same: two keys would become one. In a string they
/// stay as they are.
pub fn canonical_json(text: &str) -> Result<Vec<u8>, JsonError> {
    let value: Value = serde_json::from_str(text).map_err(JsonError::invalid)?;
    check_numbers(&value)?;
    serde_json_canonicalizer::to_vec(&value).map_err(JsonError::invalid)
}

/// As deep as `serde_json` lets a text be nested.
fn check_numbers(value: &Value) -> Result<(), JsonError> {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.abs() <= MAX_SAFE_INTEGER => Ok(()),
            _ => Err(JsonError::Number(number.to_string())),
        },
        Value::Array(items) => items.iter().try_for_each(check_numbers),
        Value::Object(members) => members.values().try_for_each(check_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Why a text has no canonical spelling.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JsonError {
    /// It is no JSON: what is wrong, and where.
    Invalid(String),
    /// This number is beyond 2^53 - 1.
    Number(String),
}

impl JsonError {
    fn invalid(error: serde_json::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problem) => write!(f, "invalid JSON: {problem}"),
            Self::Number(number) => write!(
                f,
                "{number} is beyond 9007199254740991, where readers of JSON round; write it as a \
                 string"
            ),
        }
    }
}

impl core::error::Error for JsonError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let bytes = canonical_json(text).expect("valid JSON");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    #[test]
    fn ck_28_one_meaning_has_one_spelling() {
        for (one, other, spelling) in [
            (r#"{"a":1}"#, r#"{"a": 1}"#, r#"{"a":1}"#),
            (r#"{"b":2,"a":1}"#, "{\n\t\"a\" : 1 , \"b\" : 2\r\n}", r#"{"a":1,"b":2}"#),
            (
                r#"{"z":[{"y":1,"x":[2,1]}],"a":{"d":null,"c":true}}"#,
                r#"{"a":{"c":true,"d":null},"z":[{"x":[2,1],"y":1}]}"#,
                r#"{"a":{"c":true,"d":null},"z":[{"x":[2,1],"y":1}]}"#,
            ),
            ("1.0", "1e0", "1"),
            ("-0", "0.0", "0"),
            ("1.50E2", "150", "150"),
            ("0.0000001", "1e-7", "1e-7"),
            ("9007199254740991", "9007199254740991.0", "9007199254740991"),
            (r#""\u00e4\/\u0041""#, "\"\u{e4}/A\"", "\"\u{e4}/A\""),
            (r#""\u000a\u001F\ud83d\ude00""#, "\"\\n\\u001f\u{1f600}\"", "\"\\n\\u001f\u{1f600}\""),
            (r#""""#, r#" "" "#, r#""""#),
        ] {
            assert_eq!(canonical(one), spelling);
            assert_eq!(canonical(other), spelling, "{other}");
            assert_eq!(canonical(spelling), spelling);
        }
    }

    /// By UTF-16 code units, as RFC 8785 has it: U+1F600, a pair of surrogates, before U+FB33.
    #[test]
    fn names_are_in_the_rfcs_order() {
        let names = ["\\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"];
        let members = |names: &[&str]| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        let reversed: Vec<&str> = names.into_iter().rev().collect();
        assert_eq!(canonical(&members(&reversed)), members(&names));
    }

    #[test]
    fn other_meanings_have_other_spellings() {
        let texts = [
            "[1,2]",
            "[2,1]",
            "1",
            "\"1\"",
            "1.5",
            "null",
            "\"\"",
            "{}",
            "[]",
            "{\"a\":null}",
            "\"\u{e4}\"",
            "\"a\u{308}\"",
            "0.1",
            "0.10000000000000002",
        ];
        let spellings: std::collections::BTreeSet<_> = texts.map(canonical).into_iter().collect();
        assert_eq!(spellings.len(), texts.len(), "{spellings:?}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let deep = "[".repeat(128) + &"]".repeat(128);
        for text in ["", "{\"a\":1", "{'a':1}", "{\"a\":1} 2", "NaN", "01", "\"\\ud800\"", &deep] {
            let error = canonical_json(text).expect_err(text);
            assert!(matches!(error, JsonError::Invalid(_)), "{text}: {error}");
        }
        let error = canonical_json("{\"a\":\n 1,}").expect_err("a comma too many").to_string();
        assert_eq!(error, "invalid JSON: trailing comma at line 2 column 4");
        for number in ["9007199254740992", "-9007199254740993", "18446744073709551617", "1e300"] {
            let text = format!("[{{\"id\":{number}}}]");
            let error = canonical_json(&text).expect_err(number);
            assert!(matches!(error, JsonError::Number(_)), "{number}: {error}");
            assert!(error.to_string().ends_with("write it as a string"), "{error}");
        }
        assert_eq!(canonical("\"9007199254740993\""), "\"9007199254740993\"");
    }
}
