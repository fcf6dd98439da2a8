//! Embeds `schemas/` and `queries/`, so that the binary works outside the source tree.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for (folder, list) in [
        ("schemas", "schemas.rs"),
        ("queries/views", "views.rs"),
        ("queries/checks", "checks.rs"),
        ("queries/explain", "explain.rs"),
    ] {
        println!("cargo:rerun-if-changed={folder}");
        fs::write(out.join(list), embedded(&root, folder)?)?;
    }
    Ok(())
}

/// A Rust expression `&[("name.sql", "text"), …]` over the SQL files of `folder` below `root`, sorted by name.
fn embedded(root: &Path, folder: &str) -> io::Result<String> {
    let mut files: Vec<PathBuf> = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<_>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut list = String::from("&[\n");
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Several clones may share a build folder: the compiler, not this list, knows which one it stands in.
        let _ = writeln!(
            list,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{folder}/\", {name:?}))),"
        );
    }
    list.push(']');
    Ok(list)
}
