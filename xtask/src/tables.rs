//! Tables in documentation that a command measures: between two comments, written with `KLAMM_TABLES=write`, else
//! compared. They say *at most*: what has become smaller is no lie, and a compiler's version may change a number a little.

use std::env;

use anyhow::{Context as _, Result, ensure};
use xshell::Shell;

/// By how much a number may be larger than it is said to be, in percent.
const TOLERANCE: u64 = 3;

/// Compares a table with what `file` has between `<!-- name: ... -->` and `<!-- end of name -->`, or writes it there.
pub(crate) fn settle(sh: &Shell, file: &str, name: &str, table: &str) -> Result<()> {
    let text = sh.read_file(file)?;
    let (before, stands, after) =
        split(&text, name).with_context(|| format!("{file}, `{name}`"))?;
    if env::var_os("KLAMM_TABLES").is_some_and(|how| how == "write") {
        let text = format!("{before}\n{}\n{after}", table.trim_end());
        return Ok(sh.write_file(file, text)?);
    }
    ensure!(
        holds(stands, table),
        "{file} says less; `KLAMM_TABLES=write` with the same command writes it:\n{table}"
    );
    if !holds(table, stands) {
        println!("less than {file} says; `KLAMM_TABLES=write` with the same command writes it");
    }
    Ok(())
}

/// A row of cells.
pub(crate) fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| str::from_utf8(group).unwrap_or(""))
        .collect();
    groups.join(",")
}

/// What is before the table, with the first comment; the table; the rest, from the last comment.
fn split<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let (begin, end) = (format!("<!-- {name}: "), format!("\n<!-- end of {name} -->"));
    let start = text.find(&begin)?;
    let start = start + text[start..].find("-->")? + "-->".len();
    let stop = start + text[start..].find(&end)?;
    Some((&text[..start], &text[start..stop], &text[stop + 1..]))
}

/// Are the words the same, and the numbers no larger?
fn holds(said: &str, measured: &str) -> bool {
    let [said, measured] = [said, measured].map(|text| text.split_whitespace().collect::<Vec<_>>());
    let is_true = |(said, measured): (&&str, &&str)| match (number(said), number(measured)) {
        (Some(said), Some(measured)) => measured * 100 <= said * (100 + TOLERANCE),
        _ => said == measured,
    };
    said.len() == measured.len() && said.iter().zip(&measured).all(is_true)
}

fn number(word: &str) -> Option<u64> {
    word.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- t: written by x -->\n| one | 1,000 |\n<!-- end of t -->\nb\n";

    #[test]
    fn a_number_may_be_a_little_larger_and_a_word_no_other() {
        let (before, table, after) = split(TEXT, "t").unwrap();
        assert_eq!(before, "a\n<!-- t: written by x -->");
        assert_eq!(after, "<!-- end of t -->\nb\n");
        for (other, right) in [
            ("| one | 1,000 |", true),
            ("| one | 1,030 |", true),
            ("| one | 700 |", true),
            ("| one | 1,040 |", false),
            ("| two | 1,000 |", false),
            ("| one | 1,000 |\n| two | 1,000 |", false),
            ("| one | none |", false),
        ] {
            assert_eq!(holds(table, other), right, "{other}");
        }
        assert!(split(TEXT, "other").is_none());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
