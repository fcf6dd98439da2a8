//! Reports of a check run, as people, spreadsheets and programs see them.

mod forms;
mod validators;

use adolake::checks::{CheckRun, Request};
use adolake::report::{self, Format, TextOptions};

use crate::support::world;

async fn run() -> CheckRun {
    let lake = world::lake().await;
    let request = Request { is_stored: false, ..world::request() };
    world::run(&lake, &world::settings(), &request).await
}

fn written(run: &CheckRun, format: Format, options: &TextOptions) -> String {
    let mut out = Vec::new();
    report::write(run, format, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn the_summary_reads_well() {
    let mut run = run().await;
    let plain = written(&run, Format::Text, &TextOptions::default());
    insta::assert_snapshot!("text", plain);
    let narrow = TextOptions { width: 60, per_reason: 1, ..TextOptions::default() };
    run.differences = vec!["contoso/payments/api branch `main` in 2026-03: listed 5".to_owned()];
    run.warnings = vec!["repository `x` can no longer be seen".to_owned()];
    run.out_of_scope = 2;
    insta::assert_snapshot!("text_narrow", written(&run, Format::Text, &narrow));
    // Colour adds nothing but colour.
    let colored = written(&run, Format::Text, &TextOptions { color: true, ..narrow.clone() });
    assert_ne!(colored, written(&run, Format::Text, &narrow));
    let mut stripped = String::new();
    for (index, part) in colored.split('\u{1b}').enumerate() {
        stripped.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(stripped, written(&run, Format::Text, &narrow));
}

#[tokio::test]
async fn hostile_titles_do_nothing() {
    let run = run().await;
    let text = written(&run, Format::Text, &TextOptions::default());
    assert!(text.contains("=HYPERLINK"));
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
    let csv = written(&run, Format::Csv, &TextOptions::default());
    assert!(csv.contains("\"'=HYPERLINK(\"\"http://evil\"\""));
}

#[tokio::test]
async fn json_is_stable() {
    let run = run().await;
    let text = written(&run, Format::Json, &TextOptions::default());
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["run"]["run_id"] = "[run]".into();
    json["run"]["settings_hash"] = "[hash]".into();
    json["run"]["findings_sha256"] = "[hash]".into();
    for finding in json["findings"].as_array_mut().unwrap() {
        finding["evidence_json"] = "[evidence]".into();
    }
    insta::assert_snapshot!("json", format!("{json:#}"));
    // The lines of the findings are what the hash is over.
    let lines: String = text
        .lines()
        .skip_while(|line| *line != "\"findings\": [")
        .skip(1)
        .take_while(|line| line.starts_with('{'))
        .map(|line| format!("{}\n", line.trim_end_matches(',')))
        .collect();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(lines.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, run.findings_sha256);
}

#[tokio::test]
async fn csv_has_a_line_per_finding() {
    let run = run().await;
    let text = written(&run, Format::Csv, &TextOptions::default());
    let mut reader =
        arrow::csv::ReaderBuilder::new(std::sync::Arc::new(arrow::datatypes::Schema::new(
            text.lines()
                .next()
                .unwrap()
                .split(',')
                .map(|name| {
                    arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Utf8, true)
                })
                .collect::<Vec<_>>(),
        )))
        .with_header(true)
        .build(text.as_bytes())
        .unwrap();
    let rows: usize = reader.by_ref().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows as u64, run.counts().total());
}
