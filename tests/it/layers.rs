//! Imports go down: reads what the files of `src/` import from the crate against the table of levels.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by level, the lowest first; a file imports from lower levels or from its own module, never sideways or up.
const LEVELS: &[&[&str]] = &[
    &["window", "event", "hint", "glob", "task", "program"],
    &["config", "schema"],
    &["ado", "lake", "simulator"],
    &["extract", "checks"],
    &["sync", "report", "doctor", "publish"],
    &["cli"],
];

/// What the levels alone would allow: importer, imported, why not.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("extract", "lake", "extraction gives rows and does not know where they go"),
    ("checks", "ado", "checks ask the lake only"),
    ("report", "ado", "reports show findings only"),
    ("report", "extract", "reports show findings only"),
];

/// Everything that the simulator may be imported by.
const SIMULATOR_USERS: &[&str] = &["cli", "simulator"];

/// Everything that may see the configuration whole.
const CONFIG_USERS: &[&str] = &["cli", "config"];

#[test]
fn imports_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut problems = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap();
        let module = module_of(inside);
        if ["lib", "build", "main"].contains(&module.as_str()) {
            continue;
        }
        let place = |line: usize| format!("src/{}:{line}", inside.display());
        let Some(level) = level_of(&module) else {
            problems.push(format!(
                "{}: module `{module}` has no level in tests/it/layers.rs",
                place(1)
            ));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for (line, path) in imports(&text) {
            let imported = path.split("::").next().unwrap_or_default().to_owned();
            if imported == module {
                continue;
            }
            if let Some(problem) = problem(&module, level, &imported, &path) {
                problems.push(format!("{}: {problem}", place(line)));
            }
        }
    }
    assert!(problems.is_empty(), "imports that do not go down:\n{}", problems.join("\n"));
}

fn problem(module: &str, level: usize, imported: &str, path: &str) -> Option<String> {
    let Some(imported_level) = level_of(imported) else {
        return Some(format!("`{imported}` has no level in tests/it/layers.rs"));
    };
    if imported_level >= level {
        return Some(format!(
            "`{module}` (level {}) imports `{imported}` (level {})",
            level + 1,
            imported_level + 1
        ));
    }
    if let Some((.., why)) =
        FORBIDDEN.iter().find(|(from, to, _)| *from == module && *to == imported)
    {
        return Some(format!("`{module}` imports `{imported}`: {why}"));
    }
    if imported == "simulator" && !SIMULATOR_USERS.contains(&module) {
        return Some(format!("`{module}` imports the simulator"));
    }
    if path == "config::Config" && !CONFIG_USERS.contains(&module) {
        return Some(format!("`{module}` sees the configuration whole; hand it its section"));
    }
    None
}

fn level_of(module: &str) -> Option<usize> {
    LEVELS.iter().position(|modules| modules.contains(&module))
}

fn module_of(inside: &Path) -> String {
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Paths behind `crate::`, in `use` lines and in code, with their line; a group `crate::{a, b::C}` gives one each.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        for path in expanded(rest) {
            found.push((line, path));
        }
    }
    found
}

/// Expands the two levels that matter: `{a, b::{C, D}}` gives `a`, `b::C`, `b::D`.
fn expanded(rest: &str) -> Vec<String> {
    if let Some(group) = rest.strip_prefix('{') {
        return items(group).into_iter().flat_map(|item| expanded(item.trim())).collect();
    }
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(behind) = rest[name.len()..].strip_prefix("::") else { return vec![name] };
    let inner =
        if let Some(group) = behind.strip_prefix('{') { items(group) } else { vec![behind] };
    inner
        .into_iter()
        .map(|item| {
            let item: String =
                item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            format!("{name}::{item}")
        })
        .collect()
}

/// Splits what stands between an opened brace and its end at the commas that are not deeper.
fn items(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let text = "use crate::hint::Hint;\nuse crate::{\n    ado,\n    config::{Config, Sync},\n};\n// crate::lake\nlet x = crate::window::Window;";
    let found: Vec<String> =
        imports(text).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(
        found,
        ["1 hint::Hint", "2 ado", "2 config::Config", "2 config::Sync", "7 window::Window"]
    );
}
