//! An explanation as one JSON object: `resource`, `run`, `subject`, `verdicts`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::checks::{Effect, Explained, Explanation, Fact, instant_text};

/// Writes the object, indented.
pub(super) fn write(explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    let period = &explanation.period;
    let document = json!({
        "resource": explanation.resource,
        "run": {
            "version": explanation.version,
            "profile": explanation.profile.as_str(),
            "period": {
                "start_at": instant_text(period.start_at),
                "from": instant_text(period.from),
                "to": instant_text(period.to),
                "as_of": instant_text(period.as_of),
            },
            "data_as_of": explanation.data_as_of.map(instant_text),
            "table_versions": explanation.table_versions,
        },
        "subject": explanation.subject.iter().map(fact).collect::<Vec<_>>(),
        "verdicts": explanation.verdicts.iter().map(verdict).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// The columns of the finding, what its check says, and what explains it.
fn verdict(explained: &Explained) -> Value {
    let finding = explained.finding().and_then(|finding| serde_json::to_value(finding).ok());
    let Some(Value::Object(mut value)) = finding else { return Value::Object(Map::new()) };
    let of = |wanted: &[Effect]| -> Value {
        let facts = explained.facts.iter().filter(|fact| wanted.contains(&fact.effect));
        facts.map(fact).collect()
    };
    let header = &explained.header;
    value.insert("title".to_owned(), header.title.clone().into());
    value.insert(
        "controls".to_owned(),
        header.controls.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
    );
    value.insert("remediation".to_owned(), header.remediation.clone().into());
    value.insert(
        "facts".to_owned(),
        of(&[Effect::Counts, Effect::Against, Effect::Ignored, Effect::Context, Effect::Missing]),
    );
    value.insert("nearest".to_owned(), of(&[Effect::Nearest]));
    value.insert("flag_meanings".to_owned(), of(&[Effect::Flag]));
    value.insert("flips".to_owned(), of(&[Effect::Flip]));
    value.insert("now".to_owned(), of(&[Effect::Now]));
    Value::Object(value)
}

fn fact(fact: &Fact) -> Value {
    json!({
        "effect": fact.effect.as_str(),
        "at": fact.at.map(instant_text),
        "kind": fact.kind,
        "fact": fact.fact,
        "why": fact.why,
        "id": fact.id,
        "url": fact.url,
    })
}
