//! Rows on their way into the lake: cells by position, set by column name.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::table::{Kind, Table};

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// No value.
    #[default]
    Null,
    /// `STRING`
    Text(String),
    /// `INT` and `BIGINT`
    Int(i64),
    /// `DOUBLE`
    Float(f64),
    /// `BOOLEAN`
    Bool(bool),
    /// `DATE`: days since 1970-01-01
    Date(i32),
    /// `TIMESTAMP`: microseconds since 1970-01-01T00:00:00Z
    Time(i64),
}

impl Cell {
    /// Returns whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns whether a column of that kind can hold the value.
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Null => true,
            Self::Text(_) => kind == Kind::Text,
            Self::Int(value) => {
                kind == Kind::BigInt || (kind == Kind::Int && i32::try_from(*value).is_ok())
            }
            Self::Float(_) => kind == Kind::Double,
            Self::Bool(_) => kind == Kind::Boolean,
            Self::Date(_) => kind == Kind::Date,
            Self::Time(_) => kind == Kind::Timestamp,
        }
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<DateTime<Utc>> for Cell {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Time(value.timestamp_micros())
    }
}

impl From<NaiveDate> for Cell {
    fn from(value: NaiveDate) -> Self {
        let days = value.signed_duration_since(NaiveDate::default()).num_days();
        i32::try_from(days).map_or(Self::Null, Self::Date)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of a table; cells not set are null.
#[derive(Debug)]
pub struct Row {
    table: Arc<Table>,
    cells: Vec<Cell>,
    /// Where the column after the one that was set last stands: mostly the next that is set.
    next: usize,
}

impl Clone for Row {
    fn clone(&self) -> Self {
        let mut row = Self::new(&self.table);
        // Most rows are made of one that holds little but nulls.
        for (cell, own) in row.cells.iter_mut().zip(&self.cells).filter(|(_, own)| !own.is_null()) {
            cell.clone_from(own);
        }
        Self { next: self.next, ..row }
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table && self.cells == other.cells
    }
}

impl Row {
    /// Returns a row of nulls.
    pub fn new(table: &Arc<Table>) -> Self {
        let nulls = std::iter::repeat_with(|| Cell::Null).take(table.columns.len());
        Self { table: Arc::clone(table), cells: nulls.collect(), next: 0 }
    }

    /// Returns a row of these cells, one per column in order.
    ///
    /// # Panics
    /// When their number is not that of the columns.
    pub fn from_cells(table: &Arc<Table>, cells: Vec<Cell>) -> Self {
        assert_eq!(
            cells.len(),
            table.columns.len(),
            "a row of `{}` has one cell per column",
            table.name
        );
        Self { table: Arc::clone(table), cells, next: 0 }
    }

    /// Sets a column.
    ///
    /// # Panics
    /// When the table has no such column or the column cannot hold the value: the code and `schemas/` disagree.
    pub fn set(&mut self, column: &str, value: impl Into<Cell>) -> &mut Self {
        let index = match self.table.columns.get(self.next) {
            Some(next) if next.name == column => self.next,
            _ => self.position(column),
        };
        self.next = index + 1;
        let (cell, kind) = (value.into(), self.table.columns[index].kind);
        assert!(cell.fits(kind), "`{}.{column}` is {}, not {cell:?}", self.table.name, kind.sql());
        self.cells[index] = cell;
        self
    }

    /// Returns the value of a column.
    ///
    /// # Panics
    /// When the table has no such column.
    pub fn get(&self, column: &str) -> &Cell {
        &self.cells[self.position(column)]
    }

    /// Returns the text of a column; none where it is null or not text.
    pub fn text(&self, column: &str) -> Option<&str> {
        if let Cell::Text(text) = self.get(column) { Some(text) } else { None }
    }

    /// Returns the integer of a column; none where it is null or not an integer.
    pub fn int(&self, column: &str) -> Option<i64> {
        if let Cell::Int(value) = self.get(column) { Some(*value) } else { None }
    }

    /// Returns the truth value of a column; none where it is null or not one.
    pub fn bool(&self, column: &str) -> Option<bool> {
        if let Cell::Bool(value) = self.get(column) { Some(*value) } else { None }
    }

    /// Returns the instant of a column; none where it is null or not an instant.
    pub fn time(&self, column: &str) -> Option<DateTime<Utc>> {
        if let Cell::Time(micros) = self.get(column) {
            DateTime::from_timestamp_micros(*micros)
        } else {
            None
        }
    }

    /// Returns the table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Returns the cells, one per column in order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Returns the cells to change, one per column in order.
    pub fn cells_mut(&mut self) -> &mut [Cell] {
        &mut self.cells
    }

    /// Returns about how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        let text = |cell: &Cell| if let Cell::Text(text) = cell { text.len() + 16 } else { 0 };
        size_of::<Self>() + size_of_val(self.cells()) + self.cells.iter().map(text).sum::<usize>()
    }

    fn position(&self, column: &str) -> usize {
        match self.table.index(column) {
            Some(index) => index,
            None => panic!("table `{}` has no column `{column}`", self.table.name),
        }
    }
}
