//! Tables as plain values, and how they print as SQL.

use std::fmt;
use std::sync::Arc;

use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::error::Error;

/// The columns that close every row: who wrote it, when it last changed, the hash of its content.
pub const META_COLUMNS: [&str; 3] = ["_run_id", "_synced_at", "_hash"];

/// A table of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Name, plural.
    pub name: String,
    /// A sentence on the grain.
    pub comment: String,
    /// Which code writes it: the comment at the head of its file.
    pub written_by: String,
    /// All columns, the partition columns last.
    pub columns: Vec<Column>,
    /// Positions of the primary key, in order; partition columns other than the organization are not part of it.
    pub key: Vec<usize>,
    /// Positions of the partition columns.
    pub partitions: Vec<usize>,
    /// How new rows meet stored ones.
    pub mode: WriteMode,
    /// Positions of the columns whose stored value always stays.
    pub keep_first: Vec<usize>,
    /// Positions of the columns whose stored value stays where the new row has null.
    pub keep_when_null: Vec<usize>,
    /// Position of the column that marks what was no longer listed.
    pub tombstone: Option<usize>,
    /// Positions of the columns for which another one stands in the hash of the content.
    pub not_hashed: Vec<usize>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name, lower case.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// Whether null is allowed.
    pub is_nullable: bool,
    /// Meaning, unit, source.
    pub comment: String,
}

/// The types that a column may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `STRING`
    Text,
    /// `BIGINT`, 64 bits
    BigInt,
    /// `INT`, 32 bits
    Int,
    /// `DOUBLE`
    Double,
    /// `BOOLEAN`
    Boolean,
    /// `DATE`
    Date,
    /// `TIMESTAMP`, UTC microseconds
    Timestamp,
}

/// How new rows meet stored ones of the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Rows are added; nothing is looked up.
    Append,
    /// Rows with a new key are added; a stored row never changes.
    Insert,
    /// As `Insert`, and nulls of a stored row are filled.
    Fill,
    /// The new row replaces the stored one, but for the columns that are kept.
    Merge,
}

impl Table {
    /// Demands that a table holds what another one does, and beside it nothing but nullable columns.
    pub(super) fn demand_extends(&self, other: &Self) -> Result<(), Error> {
        let differs = |problem: String| Error::Differs { table: self.name.clone(), problem };
        let names = |table: &Self, positions: &[usize]| -> Vec<String> {
            positions.iter().map(|&position| table.columns[position].name.clone()).collect()
        };
        for column in &other.columns {
            let name = &column.name;
            let own = self.columns.iter().find(|own| own.name == *name);
            let own = own.ok_or_else(|| differs(format!("column `{name}` is missing")))?;
            if (own.kind, own.is_nullable) != (column.kind, column.is_nullable) {
                return Err(differs(format!(
                    "column `{name}` is of another type, or null where it was not"
                )));
            }
        }
        let is_new = |column: &&Column| other.columns.iter().all(|known| known.name != column.name);
        if let Some(column) = self.columns.iter().filter(is_new).find(|column| !column.is_nullable)
        {
            return Err(differs(format!("the new column `{}` must be nullable", column.name)));
        }
        let roles = |table: &Self| {
            let tombstone: Vec<usize> = table.tombstone.into_iter().collect();
            [
                &table.key,
                &table.partitions,
                &table.keep_first,
                &table.keep_when_null,
                &table.not_hashed,
                &tombstone,
            ]
            .map(|positions| names(table, positions))
        };
        if roles(self) != roles(other) || self.mode != other.mode {
            return Err(differs("its key, partitions or properties are others".to_owned()));
        }
        Ok(())
    }

    /// Returns the position of a column.
    pub fn index(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|own| own.name == column)
    }

    /// Returns the names of the primary key's columns.
    pub fn key_names(&self) -> Vec<&str> {
        self.key.iter().map(|&index| self.columns[index].name.as_str()).collect()
    }

    /// Returns the names of the partition columns.
    pub fn partition_names(&self) -> Vec<&str> {
        self.partitions.iter().map(|&index| self.columns[index].name.as_str()).collect()
    }

    /// Returns the Arrow schema: one field per column in the same order.
    pub fn arrow_schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self.columns.iter().map(Column::arrow_field).collect();
        Arc::new(Schema::new(fields))
    }
}

impl Column {
    fn arrow_field(&self) -> Field {
        Field::new(&self.name, self.kind.arrow_type(), self.is_nullable)
    }
}

impl Kind {
    /// Returns the Arrow type.
    pub fn arrow_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::BigInt => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Returns the SQL name.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "STRING",
            Self::BigInt => "BIGINT",
            Self::Int => "INT",
            Self::Double => "DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
        }
    }
}

impl WriteMode {
    /// All modes with the words that name them in `adolake.write`.
    pub const ALL: [(&'static str, Self); 4] = [
        ("append", Self::Append),
        ("insert", Self::Insert),
        ("fill", Self::Fill),
        ("merge", Self::Merge),
    ];
}

impl fmt::Display for WriteMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// Prints the definition in the form of `schemas/*.sql`.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.columns.len() - self.partitions.len();
        let width =
            self.columns[..own].iter().map(|column| column.name.len()).max().unwrap_or(0) + 1;
        writeln!(f, "-- Written by: {}", self.written_by)?;
        writeln!(f, "CREATE TABLE {} (", self.name)?;
        for column in &self.columns[..own] {
            let null = if column.is_nullable { "" } else { "NOT NULL" };
            let (name, kind, comment) = (&column.name, column.kind.sql(), quoted(&column.comment));
            writeln!(f, "    {name:<width$} {kind:<9} {null:<8} COMMENT {comment},")?;
        }
        writeln!(f, "    PRIMARY KEY ({})\n)", self.key_names().join(", "))?;
        writeln!(f, "COMMENT {}", quoted(&self.comment))?;
        if !self.partitions.is_empty() {
            let partitions: Vec<String> = self.columns[own..]
                .iter()
                .map(|c| {
                    format!("{} {} NOT NULL COMMENT {}", c.name, c.kind.sql(), quoted(&c.comment))
                })
                .collect();
            writeln!(f, "PARTITIONED BY ({})", partitions.join(", "))?;
        }
        let names = |positions: &[usize]| {
            positions.iter().map(|&p| self.columns[p].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut properties = vec![("write", self.mode.to_string())];
        properties.push(("keep-first", names(&self.keep_first)));
        properties.push(("keep-when-null", names(&self.keep_when_null)));
        properties.push(("tombstone", names(self.tombstone.as_slice())));
        properties.push(("not-hashed", names(&self.not_hashed)));
        properties.retain(|(_, value)| !value.is_empty());
        let properties: Vec<String> = properties
            .iter()
            .map(|(name, value)| format!("'adolake.{name}' = {}", quoted(value)))
            .collect();
        writeln!(f, "TBLPROPERTIES ({})", properties.join(", "))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
