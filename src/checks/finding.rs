//! Findings: the verdicts of one check as Arrow batches, read row by row without copying.

use std::fmt;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use serde::{Serialize, Serializer};

/// What a check says about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Shown by positive evidence.
    Pass,
    /// Shown not to hold, or not configured.
    Fail,
    /// Ruled out on purpose.
    Exempt,
    /// The demand does not apply.
    NotApplicable,
    /// Evidence is missing, expired or unreadable.
    Unknown,
}

impl Status {
    /// All statuses in the order in which they are counted and shown.
    pub const ALL: [Self; 5] =
        [Self::Pass, Self::Fail, Self::Exempt, Self::NotApplicable, Self::Unknown];

    /// Returns the word that stands in results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Exempt => "exempt",
            Self::NotApplicable => "not_applicable",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the status of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many findings have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; 5]);

impl Counts {
    /// Returns how many have that status.
    #[must_use]
    pub const fn of(&self, status: Status) -> u64 {
        self.0[status as usize]
    }

    /// Counts one more.
    pub const fn add(&mut self, status: Status) {
        self.0[status as usize] += 1;
    }

    /// Counts several more.
    pub(crate) const fn add_many(&mut self, status: Status, count: u64) {
        self.0[status as usize] += count;
    }

    /// Adds other counts.
    pub fn extend(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own += more;
        }
    }

    /// Returns how many there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The columns that every check returns first, in this order, with whether each must have a value.
pub const COLUMNS: [(&str, bool); 13] = [
    ("organization", true),
    ("project", false),
    ("repository_id", false),
    ("repository", false),
    ("branch", false),
    ("pull_request_id", false),
    ("subject", false),
    ("resource_url", false),
    ("status", true),
    ("reason_code", true),
    ("reason", true),
    ("flags", true),
    ("evidence_json", true),
];

/// Position of the only column that is a number.
pub(crate) const PULL_REQUEST_ID: usize = 5;

/// The verdicts of one check, sorted and in keeping with the contract.
#[derive(Debug, Clone)]
pub struct Findings {
    check_id: String,
    batches: Vec<RecordBatch>,
    counts: Counts,
}

/// One verdict, borrowed from its batch; as JSON its keys are `check_id` and the columns of the contract.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Finding<'a> {
    /// The check.
    pub check_id: &'a str,
    /// Organization.
    pub organization: &'a str,
    /// Name of the project.
    pub project: Option<&'a str>,
    /// Id of the repository.
    pub repository_id: Option<&'a str>,
    /// Name of the repository.
    pub repository: Option<&'a str>,
    /// Short name of the branch.
    pub branch: Option<&'a str>,
    /// Number of the pull request.
    pub pull_request_id: Option<i64>,
    /// Title of the pull request or name of the branch, as Azure DevOps has it: not safe for a terminal.
    pub subject: Option<&'a str>,
    /// Address for people.
    pub resource_url: Option<&'a str>,
    /// The verdict.
    #[serde(serialize_with = "as_word")]
    pub status: Status,
    /// The deciding reason.
    pub reason_code: &'a str,
    /// The same as a sentence.
    pub reason: &'a str,
    /// Sorted, joined with commas; empty = none.
    pub flags: &'a str,
    /// What decided, as JSON.
    pub evidence_json: &'a str,
}

impl Findings {
    /// Takes batches whose first columns are [`COLUMNS`] as plain text and 64-bit numbers, checked already.
    pub(crate) fn new(check_id: &str, batches: Vec<RecordBatch>) -> Self {
        let mut findings =
            Self { check_id: check_id.to_owned(), batches, counts: Counts::default() };
        let mut counts = Counts::default();
        findings.iter().for_each(|finding| counts.add(finding.status));
        findings.counts = counts;
        findings
    }

    /// Adds findings of the same check that stand behind these in its order.
    pub(crate) fn append(&mut self, more: Self) {
        self.batches.extend(more.batches);
        self.counts.extend(&more.counts);
    }

    /// Returns the id of the check.
    #[must_use]
    pub fn check_id(&self) -> &str {
        &self.check_id
    }

    /// Returns how many findings have each status.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns the batches: the columns of the contract, then those of the check's own.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Returns the findings in order.
    pub fn iter(&self) -> impl Iterator<Item = Finding<'_>> {
        self.batches
            .iter()
            .flat_map(move |batch| (0..batch.num_rows()).map(move |row| self.finding(batch, row)))
    }

    /// Returns each by itself.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> {
        let rows = self
            .batches
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
        rows.map(|batch| Self::new(&self.check_id, vec![batch]))
    }

    /// Returns those that are wanted.
    pub(crate) fn filter(&self, is_wanted: impl Fn(&Finding<'_>) -> bool) -> Self {
        let rows = self
            .batches
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
        let wanted = rows
            .filter(|(batch, row)| is_wanted(&self.finding(batch, *row)))
            .map(|(batch, row)| batch.slice(row, 1));
        Self::new(&self.check_id, wanted.collect())
    }

    fn finding<'a>(&'a self, batch: &'a RecordBatch, row: usize) -> Finding<'a> {
        Finding::at(&self.check_id, batch, row)
    }
}

fn as_word<S: Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.as_str())
}

impl<'a> Finding<'a> {
    /// The finding of a row; the batch must have the form of findings.
    pub(crate) fn at(check_id: &'a str, batch: &'a RecordBatch, row: usize) -> Self {
        let text = |column: usize| {
            let array = batch.column(column).as_string::<i32>();
            (!array.is_null(row)).then(|| array.value(row))
        };
        let numbers = batch.column(PULL_REQUEST_ID).as_primitive::<Int64Type>();
        Self {
            check_id,
            organization: text(0).unwrap_or_default(),
            project: text(1),
            repository_id: text(2),
            repository: text(3),
            branch: text(4),
            pull_request_id: (!numbers.is_null(row)).then(|| numbers.value(row)),
            subject: text(6),
            resource_url: text(7),
            status: text(8).and_then(Status::parse).unwrap_or(Status::Unknown),
            reason_code: text(9).unwrap_or_default(),
            reason: text(10).unwrap_or_default(),
            flags: text(11).unwrap_or_default(),
            evidence_json: text(12).unwrap_or_default(),
        }
    }
}

impl Finding<'_> {
    /// Returns `org/project/repo!123`, `org/project/repo@refs/heads/main`, or `org/project/repo` for a whole
    /// repository.
    #[must_use]
    pub fn resource(&self) -> String {
        let mut name = self.organization.to_owned();
        for part in [self.project, self.repository].into_iter().flatten() {
            name.push('/');
            name.push_str(part);
        }
        match (self.pull_request_id, self.branch) {
            (Some(number), _) => format!("{name}!{number}"),
            (None, Some(branch)) => format!("{name}@refs/heads/{branch}"),
            (None, None) => name,
        }
    }
}
