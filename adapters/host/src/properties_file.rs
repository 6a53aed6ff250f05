//! `.properties` files, in the syntax of Java's `Properties.load`.

use std::fs;
use std::path::Path;

use crate::error::PropertyError;

/// The properties of a file, in order.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, String)>, PropertyError> {
    let bytes = fs::read(path).map_err(|error| PropertyError::File {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    // Java's tools write ISO 8859-1, editors UTF-8.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    parse(&text).map_err(|(line, problem)| PropertyError::File {
        path: path.to_owned(),
        problem: format!("line {line}: {problem}"),
    })
}

/// The number of a line, and what is wrong with it.
type Wrong = (usize, &'static str);

fn parse(text: &str) -> Result<Vec<(String, String)>, Wrong> {
    let mut properties = Vec::new();
    let mut lines =
        text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    let mut number = 0;
    while let Some(first) = lines.next() {
        number += 1;
        let first = first.trim_start_matches(BLANKS);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let begin = number;
        let mut line = first.to_owned();
        while goes_on(&line) {
            line.pop();
            // The indentation of a continued line is not part of the value; a comment sign in it is.
            let Some(next) = lines.next() else { break };
            number += 1;
            line.push_str(next.trim_start_matches(BLANKS));
        }
        properties.push(split(&line).map_err(|problem| (begin, problem))?);
    }
    Ok(properties)
}

const BLANKS: [char; 3] = [' ', '\t', '\x0c'];

/// Does an odd number of backslashes end the line?
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Parts name and value: at the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> Result<(String, String), &'static str> {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (matches!(c, '=' | ':') || BLANKS.contains(c));
            escaped = !escaped && *c == '\\';
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(BLANKS);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(BLANKS);
    Ok((unescape(name)?, unescape(value)?))
}

fn unescape(text: &str) -> Result<String, &'static str> {
    let mut out: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut room = [0; 2];
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let unit = u16::from_str_radix(&digits, 16).ok();
                    let unit = unit.filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                    out.push(unit.filter(|_| digits.len() == 4).ok_or(BAD_ESCAPE)?);
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        out.extend_from_slice(plain.encode_utf16(&mut room));
    }
    // Characters beyond 16 bits are written as two escapes.
    String::from_utf16(&out).map_err(|_| BAD_ESCAPE)
}

const BAD_ESCAPE: &str = "\\u is followed by four hexadecimal digits of a character";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text).expect("legal")
    }

    fn one(text: &str) -> (String, String) {
        let all = parsed(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }

    #[test]
    fn names_and_values_part_where_java_parts_them() {
        for text in
            ["acks=all", "acks = all", "acks:all", "acks all", "  acks\t:  all", "acks\x0call"]
        {
            assert_eq!(one(text), ("acks".into(), "all".into()), "{text:?}");
        }
        assert_eq!(one("acks"), ("acks".into(), String::new()));
        assert_eq!(one("a==b"), ("a".into(), "=b".into()));
        assert_eq!(one("servers=a:1,b:2"), ("servers".into(), "a:1,b:2".into()));
        assert_eq!(one(r"a\=b\:c\ d=e"), ("a=b:c d".into(), "e".into()));
        // Blanks at the end belong to the value.
        assert_eq!(one("a=b "), ("a".into(), "b ".into()));
    }

    #[test]
    fn comments_and_blank_lines_are_no_properties() {
        let text = "# one\n! two\n\n   \t\n  # three\\\na=1\r\nb=2\rc=3";
        let expected = [("a", "1"), ("b", "2"), ("c", "3")];
        assert_eq!(parsed(text), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn lines_are_continued_by_an_odd_number_of_backslashes() {
        assert_eq!(one("a=b,\\\n    c,\\\r\n\t#d"), ("a".into(), "b,c,#d".into()));
        assert_eq!(parsed("a=b\\\\\nc=d").len(), 2);
        assert_eq!(one("a=b\\"), ("a".into(), "b".into()));
    }

    #[test]
    fn escapes() {
        assert_eq!(one(r"a=\t\n\r\f\\\q").1, "\t\n\r\x0c\\q");
        assert_eq!(one(r"a=gr\u00fcn \ud83d\ude00").1, "gr\u{fc}n \u{1f600}");
        for wrong in [r"a=\u12", r"a=\u12g4", r"a=\u+123", r"a=\ud83d"] {
            assert_eq!(parse(&format!("x=1\n{wrong}")), Err((2, BAD_ESCAPE)), "{wrong}");
        }
    }
}
