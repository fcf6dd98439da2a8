//! A new file, whole or not at all, and never in the place of another.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::cli::failure::Failure;

/// The error for a file that is there.
pub(super) fn is_there(named: &Path) -> Failure {
    Failure::user(format!("`{}` is there already, and is left as it is", named.display()))
        .hint("name another file with `--file`, or move it away")
}

/// Writes a file that must not exist yet.
///
/// # Errors
/// When it exists, also since a moment ago, or cannot be written; nothing half-written stays behind.
pub(super) fn write_new(path: &Path, named: &Path, text: &str) -> Result<(), Failure> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => is_there(named),
        _ => Failure::user(format!("cannot write `{}`", named.display())).caused_by(error).hint(
            "see whether the folder exists and may be written, or name another file with `--file`",
        ),
    };
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        put(&part, path)
    });
    // Where it never was created, or was moved, there is nothing to remove.
    let _ = fs::remove_file(&part);
    written.map_err(told)
}

/// Puts a finished file in its place; unlike a rename, a link does not replace what is there.
fn put(part: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(part, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // No links on this file system: claim the name first, then fill it.
            File::create_new(path)?;
            fs::rename(part, path)
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adolake.toml");
        write_new(&path, Path::new("adolake.toml"), "first").unwrap();
        let error = write_new(&path, Path::new("adolake.toml"), "second").unwrap_err();
        assert_eq!(error.to_string(), "`adolake.toml` is there already, and is left as it is");
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
