//! A run as one JSON object: `run`, `summary`, `findings`.

use std::io::{self, Write};

use serde_json::json;

use super::facts::severity;
use crate::checks::{CheckRun, Status, instant_text};

/// Writes the object; findings one per line, in order, each with `check_id` and the columns of the contract.
pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let facts = json!({
        "run_id": run.run_id,
        "started_at": instant_text(run.started_at),
        "finished_at": instant_text(run.finished_at),
        "version": run.version,
        "profile": run.profile.as_str(),
        "period": {
            "start_at": instant_text(run.period.start_at),
            "from": instant_text(run.period.from),
            "to": instant_text(run.period.to),
            "as_of": instant_text(run.period.as_of),
        },
        "table_versions": run.table_versions,
        "settings_hash": run.settings_hash,
        "findings_sha256": run.findings_sha256,
        "counts_agree": run.differences.is_empty(),
        "differences": run.differences,
        "out_of_scope_repositories": run.out_of_scope,
        "warnings": run.warnings,
    });
    write!(out, "{{\n\"run\": {facts},\n\"summary\": [")?;
    for (index, findings) in run.findings.iter().enumerate() {
        let counts = findings.counts();
        let mut line = serde_json::Map::new();
        line.insert("check_id".to_owned(), findings.check_id().into());
        for status in Status::ALL {
            line.insert(status.as_str().to_owned(), counts.of(status).into());
        }
        if let Some(header) = run.headers.get(findings.check_id()) {
            let controls: Vec<String> = header.controls.iter().map(ToString::to_string).collect();
            line.insert("title".to_owned(), header.title.as_str().into());
            line.insert(
                "severity".to_owned(),
                severity(run, findings.check_id()).to_string().into(),
            );
            line.insert("controls".to_owned(), controls.into());
        }
        let line = serde_json::Value::Object(line);
        write!(out, "{}{line}", if index == 0 { "\n" } else { ",\n" })?;
    }
    write!(out, "\n],\n\"findings\": [")?;
    let all = run.findings.iter().flat_map(|findings| findings.iter());
    for (index, finding) in all.enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &finding)?;
    }
    writeln!(out, "\n]\n}}")
}
