//! Other engines read the lake: Python with `deltalake`, as `ADOLAKE_PYTHON` names it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::cmd::Adolake;
use crate::support::lake;

/// Prints `{"table": rows}` of every table below a folder, read with delta-rs of Python, and again with DuckDB over its
/// Arrow data.
const COUNT: &str = r#"
import json, os, sys
import duckdb
from deltalake import DeltaTable
root = sys.argv[1]
counts = {}
for name in sorted(os.listdir(root)):
    if not os.path.isdir(os.path.join(root, name, "_delta_log")):
        continue
    table = DeltaTable(os.path.join(root, name))
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), (name, protocol)
    data = table.to_pyarrow_table()
    assert duckdb.sql("select count(*) from data").fetchall()[0][0] == data.num_rows, name
    counts[name] = data.num_rows
print(json.dumps(counts))
"#;

/// Compares the counts of `adolake sql` with those of Python.
fn compare(adolake: &Adolake, folder: &Path) {
    let Some(python) = std::env::var_os("ADOLAKE_PYTHON") else {
        eprintln!("SKIPPED: ADOLAKE_PYTHON is not set");
        return;
    };
    let output = Command::new(python).args(["-c", COUNT]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts = counts.as_object().unwrap();
    assert!(!counts.is_empty());
    for (table, count) in counts {
        let query = format!("select count(*) as n from {table}");
        let rows = adolake.run(&["sql", "--format", "json", &query]).json();
        assert_eq!(&rows[0]["n"], count, "{table}");
    }
}

#[test]
fn python_counts_the_same_rows() {
    let adolake = Adolake::new();
    let folder = adolake.path().join("lake");
    lake::fill(&folder);
    compare(&adolake, &folder);
}
