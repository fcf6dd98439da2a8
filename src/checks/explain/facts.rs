//! The rows of explanations: their contract, and what they become.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use crate::checks::error::Error;

/// What a fact does to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Says what is explained; `kind` is what it says.
    Subject,
    /// Counted for it.
    Counts,
    /// Spoke against it.
    Against,
    /// Did not count.
    Ignored,
    /// Says what happened between the others.
    Context,
    /// Was not found.
    Missing,
    /// A name near to one that fits nothing.
    Nearest,
    /// What a flag of the verdict means.
    Flag,
    /// The smallest difference that would have given a pass.
    Flip,
    /// What can be done now.
    Now,
}

impl Effect {
    const ALL: [Self; 10] = [
        Self::Subject,
        Self::Counts,
        Self::Against,
        Self::Ignored,
        Self::Context,
        Self::Missing,
        Self::Nearest,
        Self::Flag,
        Self::Flip,
        Self::Now,
    ];

    /// Returns the word that stands in results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Counts => "counts",
            Self::Against => "against",
            Self::Ignored => "ignored",
            Self::Context => "context",
            Self::Missing => "missing",
            Self::Nearest => "nearest",
            Self::Flag => "flag",
            Self::Flip => "flip",
            Self::Now => "now",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == word)
    }
}

/// A fact that has to do with a verdict. Texts hold names from Azure DevOps: they are not safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The check; none for what concerns them all.
    pub check_id: Option<String>,
    /// What it does to the verdict.
    pub effect: Effect,
    /// When it happened; none for what has no time, or where none is known.
    pub at: Option<DateTime<Utc>>,
    /// Order among facts of one time.
    pub step: i64,
    /// Kind of fact: `vote`, `run`, `iteration`, …
    pub kind: String,
    /// What happened.
    pub fact: String,
    /// Why it counted or not.
    pub why: Option<String>,
    /// Number or name by which Azure DevOps knows it.
    pub id: Option<String>,
    /// Address for people.
    pub url: Option<String>,
}

/// The columns of every explanation, in this order.
const COLUMNS: [(&str, DataType); 9] = [
    ("check_id", DataType::Utf8),
    ("effect", DataType::Utf8),
    ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ("step", DataType::Int64),
    ("kind", DataType::Utf8),
    ("fact", DataType::Utf8),
    ("why", DataType::Utf8),
    ("id", DataType::Utf8),
    ("url", DataType::Utf8),
];

/// Turns the rows of an explanation into facts.
pub(super) fn facts(file: &str, batches: &[RecordBatch]) -> Result<Vec<Fact>, Error> {
    let breach = |problem: String| Error::Contract { place: file.to_owned(), problem };
    let mut facts = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        if names != COLUMNS.each_ref().map(|(name, _)| *name) {
            let wanted = COLUMNS.each_ref().map(|(name, _)| *name).join(", ");
            return Err(breach(format!(
                "an explanation returns {wanted}, not {}",
                names.join(", ")
            )));
        }
        let mut columns = Vec::with_capacity(COLUMNS.len());
        for ((name, kind), column) in COLUMNS.iter().zip(batch.columns()) {
            let column =
                cast(column, kind).map_err(|error| breach(format!("column `{name}`: {error}")))?;
            columns.push(column);
        }
        let text = |column: usize, row: usize| {
            let array = columns[column].as_string::<i32>();
            (!array.is_null(row)).then(|| array.value(row).to_owned())
        };
        let times = columns[2].as_primitive::<TimestampMicrosecondType>();
        let steps = columns[3].as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        for row in 0..batch.num_rows() {
            let effect = text(1, row).unwrap_or_default();
            let (Some(kind), Some(fact)) = (text(4, row), text(5, row)) else {
                return Err(breach("a row has no `kind` or no `fact`".to_owned()));
            };
            facts.push(Fact {
                check_id: text(0, row),
                effect: Effect::parse(&effect)
                    .ok_or_else(|| breach(format!("`{effect}` is no effect")))?,
                at: (!times.is_null(row))
                    .then(|| DateTime::from_timestamp_micros(times.value(row)))
                    .flatten(),
                step: if steps.is_null(row) { 0 } else { steps.value(row) },
                kind,
                fact,
                why: text(6, row).filter(|text| !text.is_empty()),
                id: text(7, row).filter(|text| !text.is_empty()),
                url: text(8, row).filter(|text| !text.is_empty()),
            });
        }
    }
    Ok(facts)
}

/// Sorts in order of time, what has none at the end.
pub(super) fn sort(facts: &mut [Fact]) {
    facts.sort_by(|one, other| {
        let key = |fact: &Fact| (fact.at.is_none(), fact.at, fact.step);
        key(one)
            .cmp(&key(other))
            .then_with(|| one.kind.cmp(&other.kind))
            .then_with(|| one.id.cmp(&other.id))
            .then_with(|| one.fact.cmp(&other.fact))
    });
}
