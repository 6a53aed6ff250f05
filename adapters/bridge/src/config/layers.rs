//! Defaults, then the file, then the environment, then flags. Which options there are, and of which
//! kind, is read off the defaults: an option that is added to `Config` is there in all of them.

use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::Config;

/// Options that are lists of tables, given as TOML: `[{id = "a", ...}]`.
const TABLES: &[&str] = &["auth.keys"];

/// The command line, understood.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// All layers together.
    pub config: Config,
    /// `--dev`.
    pub dev: bool,
    /// `--check`: look at the configuration only.
    pub check: bool,
}

/// The command's flags, one for each option.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new("klamm-bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Lets web pages produce to Kafka, exactly once")
        .arg(
            Arg::new("config")
                .long("config")
                .env("KLAMM_BRIDGE_CONFIG")
                .value_name("FILE")
                .help("A TOML file with the options below"),
        )
        .arg(
            Arg::new("dev")
                .long("dev")
                .action(ArgAction::SetTrue)
                .help("Starts with a dev broker of its own, a demo page, and tokens for everyone"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Looks at the configuration, and ends"),
        );
    for (path, default) in options() {
        let name = path.replace('_', "-");
        let variable = format!("KLAMM_BRIDGE_{}", path.replace('.', "_").to_uppercase());
        let arg = Arg::new(path.clone())
            .long(name)
            .env(variable)
            // A secret in a variable is not shown by --help.
            .hide_env_values(true)
            .value_name(kind(&path, &default))
            .help_heading("Options, also of the file and of the environment");
        command = command.arg(arg);
    }
    command
}

/// All layers.
///
/// # Errors
/// The file cannot be read, an option is unknown, or its value is none.
pub fn load(matches: &ArgMatches) -> Result<Loaded, String> {
    let mut table = Table::try_from(Config::default()).map_err(|error| error.to_string())?;
    if let Some(file) = matches.get_one::<String>("config") {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let given: Table = text.parse().map_err(|error| format!("{file}: {error}"))?;
        merge(&mut table, given);
    }
    for (path, default) in options() {
        if let Some(text) = matches.get_one::<String>(&path) {
            let value = parse(&path, &default, text)?;
            set(&mut table, &path, value);
        }
    }
    let config = table.try_into().map_err(|error| format!("the configuration: {error}"))?;
    Ok(Loaded { config, dev: matches.get_flag("dev"), check: matches.get_flag("check") })
}

/// Dotted paths of all options, with their defaults.
fn options() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    // The defaults are a table: a test says so.
    flatten("", Table::try_from(Config::default()).unwrap_or_default(), &mut all);
    all
}

fn flatten(prefix: &str, table: Table, all: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&path, inner, all),
            value => all.push((path, value)),
        }
    }
}

fn merge(into: &mut Table, from: Table) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

fn kind(path: &str, default: &Value) -> &'static str {
    match default {
        Value::Boolean(_) => "true|false",
        Value::Integer(_) => "NUMBER",
        Value::Array(_) if TABLES.contains(&path) => "TOML",
        Value::Array(_) => "A,B,...",
        _ => "TEXT",
    }
}

fn parse(path: &str, default: &Value, text: &str) -> Result<Value, String> {
    let bad = |why: &str| format!("{path}: {text:?} is {why}");
    Ok(match default {
        Value::Boolean(_) => {
            Value::Boolean(text.parse().map_err(|_| bad("neither true nor false"))?)
        }
        Value::Integer(_) => Value::Integer(text.parse().map_err(|_| bad("no whole number"))?),
        Value::Array(_) if TABLES.contains(&path) => {
            // Not quoted back: there may be a secret in it.
            let table: Result<Table, _> = format!("value = {text}").parse();
            table
                .ok()
                .and_then(|mut table| table.remove("value"))
                .ok_or_else(|| format!("{path}: not a list of tables in TOML"))?
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    })
}

fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(table.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(first) {
                set(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn load_from(arguments: &[&str]) -> Result<Loaded, String> {
        let all = ["klamm-bridge"].iter().chain(arguments);
        load(&command().try_get_matches_from(all).map_err(|error| error.to_string())?)
    }

    #[test]
    fn without_anything_it_is_the_defaults() {
        assert_eq!(load_from(&[]).map(|loaded| loaded.config), Ok(Config::default()));
        assert!(options().len() > 50);
    }

    #[test]
    fn flags_go_over_the_file() {
        let file = std::env::temp_dir().join(format!("klamm-bridge-{}.toml", std::process::id()));
        let text = "listen = '0.0.0.0:1'\n[auth]\nmax_lifetime_s = 60\norigins = ['https://a.b']\n\
                    [[auth.keys]]\nalgorithm = 'HS256'\nsecret = 'file'\n";
        std::fs::write(&file, text).expect("write");
        let path = file.to_str().expect("path");
        let loaded = load_from(&["--config", path, "--listen", "[::]:2", "--kafka.tls", "true"]);
        let keys = "[{algorithm = 'HS256', secret = 'flag'}]";
        let other =
            load_from(&["--config", path, "--auth.keys", keys, "--kafka.bootstrap", "a:1, b:2"]);
        std::fs::remove_file(&file).expect("remove");
        let config = loaded.expect("config").config;
        assert_eq!((config.listen.as_str(), config.auth.max_lifetime_s), ("[::]:2", 60));
        assert!(config.kafka.tls);
        assert_eq!(config.auth.keys[0].secret, Secret::new("file".to_owned()));
        let config = other.expect("config").config;
        assert_eq!(config.auth.keys[0].secret, Secret::new("flag".to_owned()));
        assert_eq!(config.kafka.bootstrap, ["a:1", "b:2"]);
        assert_eq!(config.auth.origins, ["https://a.b"]);
    }

    /// Not the default, and its text.
    fn another(path: &str, default: &Value) -> (Value, String) {
        match default {
            Value::Boolean(flag) => (Value::Boolean(!flag), (!flag).to_string()),
            Value::Integer(number) => (Value::Integer(number + 1), (number + 1).to_string()),
            Value::Array(_) if TABLES.contains(&path) => {
                let text = "[{id = 'a', algorithm = 'EdDSA', public_key_file = 'b'}]";
                let table: Table = format!("value = {text}").parse().expect("TOML");
                (table["value"].clone(), text.to_owned())
            }
            Value::Array(_) => (Value::Array(vec!["a".into(), "b".into()]), "a, b".to_owned()),
            _ => ("other".into(), "other".to_owned()),
        }
    }

    /// Secrets are written out as nothing: these are compared by themselves.
    fn secrets(config: &Config) -> [&str; 2] {
        [config.kafka.password.expose(), config.auth.ticket_secret.expose()]
    }

    #[test]
    fn every_option_is_one_of_the_file_the_environment_and_the_command_line() {
        let file = std::env::temp_dir().join(format!("klamm-bridge-{}-all", std::process::id()));
        let all = command();
        for (path, default) in options() {
            let (value, text) = another(&path, &default);
            let mut table = Table::new();
            match path.split_once('.') {
                None => drop(table.insert(path.clone(), value.clone())),
                Some((group, name)) => {
                    let inner = Table::from_iter([(name.to_owned(), value.clone())]);
                    table.insert(group.to_owned(), inner.into());
                }
            }
            std::fs::write(&file, table.to_string()).expect("write");
            let by_file = load_from(&["--config", file.to_str().expect("path")]).expect(&path);
            let by_flag =
                load_from(&[&format!("--{}", path.replace('_', "-")), &text]).expect(&path);
            assert_eq!(by_file.config, by_flag.config, "{path}");
            assert_ne!(by_flag.config, Config::default(), "{path}");
            // What was set is what is there.
            let shown = Table::try_from(&by_flag.config).expect("TOML");
            let mut found = Value::Table(shown);
            for part in path.split('.') {
                found = found.get(part).cloned().expect("there");
            }
            let is_secret = secrets(&by_flag.config) != secrets(&Config::default());
            assert!(is_secret || TABLES.contains(&&*path) || found == value, "{path}: {found}");
            // The environment is clap's business: each has a variable, and its own.
            let arg = all.get_arguments().find(|arg| arg.get_id() == path.as_str()).expect("arg");
            let variable = format!("KLAMM_BRIDGE_{}", path.replace('.', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(&*variable));
        }
        std::fs::remove_file(&file).expect("remove");
        let mut variables: Vec<_> = all.get_arguments().filter_map(|arg| arg.get_env()).collect();
        let count = variables.len();
        variables.sort_unstable();
        variables.dedup();
        assert_eq!(variables.len(), count, "two options have one variable");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |arguments| load_from(arguments).expect_err("an error");
        assert!(error(&["--limits.ping-s", "soon"]).contains("limits.ping_s"));
        assert!(error(&["--kafka.tls", "yes"]).contains("neither true nor false"));
        assert!(error(&["--kafak.tls", "true"]).contains("kafak"));
        let secret = error(&["--auth.keys", "canary-secret"]);
        assert!(!secret.contains("canary"), "{secret}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = "[{algorithm = 'HS256', secret = 'canary-one'}]";
        let loaded = load_from(&["--auth.keys", keys, "--kafka.password", "canary-two"]);
        let config = loaded.expect("config").config;
        let shown = format!("{config:?} {}", toml::to_string(&config).expect("toml"));
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!(config.kafka.password.expose(), "canary-two");
    }
}
