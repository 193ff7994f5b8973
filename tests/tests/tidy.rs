//! The tree keeps its own rules: every file says what it is, the rules of Bayeux know no runtime,
//! and the documents name what exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_source_file_opens_by_saying_what_it_is() {
    let silent: Vec<_> =
        sources(root()).into_iter().filter(|(_, text)| !text.starts_with("//!")).collect();
    assert!(silent.is_empty(), "{:?}", paths(&silent));
}

#[test]
fn the_rules_know_no_runtime() {
    const OUTSIDE: [&str; 9] = [
        "tokio",
        "hyper",
        "http::",
        ".await",
        "async ",
        "Mutex",
        "HashMap",
        "HashSet",
        "getrandom",
    ];
    let rules = ["server", "client", "oort", "seti"].map(|part| {
        let rules = sources(root().join(format!("bayeux-{part}/src/proto")));
        assert!(rules.len() > 3, "the rules have moved");
        rules
    });
    for (path, text) in rules.into_iter().flatten() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let found = OUTSIDE.iter().find(|word| line.contains(*word));
            assert_eq!(found, None, "{}: {line}", path.display());
        }
    }
}

/// An enum may get variants, and a struct of public fields may get fields, unless it is one of those that
/// are closed by their meaning or by the protocol.
#[test]
fn what_is_public_can_grow() {
    const CLOSED: [&str; 6] =
        ["Flow", "Created", "Provenance", "Reconnect", "Subscription", "State"];
    let mut seen = Vec::new();
    for part in ["common", "api", "server", "client", "oort", "seti"] {
        let folder = format!("bayeux-{part}/src");
        for (path, text) in sources(root().join(folder)) {
            let lines: Vec<_> = text.lines().collect();
            for (index, name) in open_types(&lines) {
                let attributes = lines[..index].iter().rev().take_while(|line| !line.is_empty());
                let is_closed = attributes.clone().all(|line| *line != "#[non_exhaustive]");
                let is_listed = CLOSED.contains(&name);
                assert_eq!(is_closed, is_listed, "{name} in {}", path.display());
                seen.push(name.to_owned());
            }
        }
    }
    assert!(seen.len() > 40, "only {} types are seen", seen.len());
}

/// Finds the public enums, and the public structs that have a public field.
fn open_types<'a>(lines: &'a [&str]) -> impl Iterator<Item = (usize, &'a str)> {
    lines.iter().enumerate().filter_map(|(index, line)| {
        let name = |rest: &'a str| rest.split(|c: char| !c.is_alphanumeric()).next();
        if let Some(rest) = line.strip_prefix("pub enum ") {
            return Some((index, name(rest)?));
        }
        let rest = line.strip_prefix("pub struct ").filter(|rest| rest.ends_with('{'))?;
        let mut fields = lines[index..].iter().take_while(|line| **line != "}");
        let has_field = fields.any(|line| line.starts_with("    pub ") && line.contains(": "));
        has_field.then_some((index, name(rest)?))
    })
}

#[test]
fn the_transports_know_no_rule() {
    const RULES: [&str; 14] = [
        "Advice",
        "advice",
        "Reconnect",
        "BayeuxError",
        "Flow",
        "is_handshake(",
        "is_connect(",
        "client_id",
        ".x_messages",
        "ext_mut",
        "ext_field",
        "extend_reply",
        "de_queue",
        "meta::",
    ];
    let transports = sources(root().join("bayeux-server/src/transport"));
    assert!(transports.len() > 20, "the transports have moved");
    for (path, text) in &transports {
        let (code, tests) = text.split_once("#[cfg(test)]").unwrap_or((text, "mod tests"));
        // So that no more is left out than the tests at the end.
        assert!(tests.trim_start().starts_with("mod tests"), "{}", path.display());
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let found = RULES.iter().find(|word| line.contains(*word));
            assert_eq!(found, None, "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_test_that_conformance_names_exists() {
    let conformance = root().join("docs/conformance.md");
    let conformance = fs::read_to_string(conformance).expect("the file can be read");
    let code = conformance.split('`').skip(1).step_by(2);
    let named: Vec<_> = code.filter_map(|code| Some((code, named_test(code)?))).collect();
    assert!(named.len() > 100, "only {} tests are named", named.len());
    for (name, (path, function)) in named {
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(text.contains(&function) && !text.is_empty(), "there is no {name}");
    }
}

#[test]
fn every_file_and_folder_that_architecture_names_exists() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it can be read");
    let code = architecture.split('`').skip(1).step_by(2);
    let named: Vec<_> = code.filter(|code| is_path(code)).collect();
    assert!(named.len() > 60, "only {} paths are named", named.len());
    let files = sources(root());
    for name in named {
        let path = Path::new(name.trim_end_matches('*'));
        let is_there = |file: &Path| file.ancestors().any(|above| above.ends_with(path));
        let is_found = files.iter().any(|(file, _)| is_there(file)) || root().join(path).exists();
        assert!(is_found, "there is no {name}");
    }
}

/// Whether code names a file or folder, as in `driver.rs`, `proto/session`, `exchange/*` or `transport/`.
fn is_path(code: &str) -> bool {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./*".contains(c);
    let is_relative = code.starts_with(|first: char| first.is_ascii_lowercase());
    is_relative && code.chars().all(is_name) && (code.contains('/') || code.ends_with(".rs"))
}

/// Tells where to find a test that is named as `server/lazy::function`, as
/// `bayeux-common/src/z85.rs::function` or as `interop/cometd/ack.test.js`: in which file, and what
/// has to be in it. None for code that is no such name.
fn named_test(code: &str) -> Option<(PathBuf, String)> {
    let is_name = code.starts_with(|first: char| first.is_ascii_lowercase());
    match code.split_once("::").filter(|_| is_name) {
        Some((file, function)) if file.ends_with(".rs") => {
            Some((root().join(file), format!("fn {function}(")))
        }
        Some((file, function)) => {
            Some((root().join(format!("tests/tests/{file}.rs")), format!("fn {function}(")))
        }
        None => code.starts_with("interop/").then(|| (root().join(code), String::new())),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

/// Reads all Rust files below `folder` that are the project's own.
fn sources(folder: impl AsRef<Path>) -> Vec<(PathBuf, String)> {
    const OTHERS: [&str; 4] = ["target", "node_modules", ".git", "corpus"];
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !OTHERS.contains(&name.as_str()) {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            files.push((path, text));
        }
    }
    files
}

fn paths(files: &[(PathBuf, String)]) -> Vec<&Path> {
    files.iter().map(|(path, _)| path.as_path()).collect()
}
