//! The catalog of tables, read from `schemas/*.sql`: the only place where a column is named or typed.

mod arrow;
mod ddl;
mod error;
mod row;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use self::arrow::{from_batch, to_batch};
pub(crate) use self::arrow::{to_cells, to_partial_batch};
pub use self::ddl::parse_table;
pub use self::error::Error;
pub use self::row::{Cell, Row};
pub use self::table::{Column, Kind, META_COLUMNS, Table, WriteMode};

/// The files of `schemas/`, name and text, as they were when the program was built.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// All tables of the lake by name.
#[derive(Debug, Clone)]
pub struct Catalog {
    tables: BTreeMap<String, Arc<Table>>,
}

impl Catalog {
    /// Returns the tables of the embedded `schemas/`.
    ///
    /// # Errors
    /// Fails when an embedded file is not a table definition.
    pub fn embedded() -> Result<Self, Error> {
        Self::parse(EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    /// Reads the tables of a folder of `*.sql` files.
    ///
    /// # Errors
    /// Fails when the folder cannot be read, or a file is not a table definition.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| Error::Unreadable { path: path.clone(), source })?;
                files.push((path.display().to_string(), text));
            }
        }
        if files.is_empty() {
            return Err(Error::Empty { path: folder.to_owned() });
        }
        Self::parse(files)
    }

    /// Demands that the tables do for what this adolake writes: only tables, nullable columns and comments may be new.
    ///
    /// # Errors
    /// Fails with the first table that is missing or differs.
    pub fn demand_extends(&self, other: &Self) -> Result<(), Error> {
        other.tables().try_for_each(|table| match self.table(&table.name) {
            Some(own) => own.demand_extends(table),
            None => Err(Error::Differs {
                table: table.name.clone(),
                problem: format!("there is no file `{}.sql`", table.name),
            }),
        })
    }

    fn parse(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut tables = BTreeMap::new();
        for (file, text) in files {
            let table = parse_table(&file, &text)?;
            if Path::new(&file).file_name() != Some(format!("{}.sql", table.name).as_ref()) {
                return Err(Error::Misnamed { file, table: table.name });
            }
            tables.insert(table.name.clone(), Arc::new(table));
        }
        Ok(Self { tables })
    }

    /// Returns the table of that name.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }

    /// Returns the table of that name, or an error that names it.
    ///
    /// # Errors
    /// Fails when the catalog has no such table, which a replaced schema folder can cause.
    pub fn require(&self, name: &str) -> Result<&Arc<Table>, Error> {
        self.table(name).ok_or_else(|| Error::NoTable { table: name.to_owned() })
    }

    /// Returns all tables, sorted by name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_schema_parses_and_prints_back() {
        let catalog = Catalog::embedded().unwrap();
        assert!(catalog.tables().count() > 30);
        for table in catalog.tables() {
            let printed = table.to_string();
            let again = parse_table(&format!("{}.sql", table.name), &printed).unwrap();
            assert_eq!(**table, again, "{printed}");
        }
    }

    #[test]
    fn every_table_closes_with_the_meta_columns_and_comments_everything() {
        for table in Catalog::embedded().unwrap().tables() {
            let own: Vec<&str> = table.columns[..table.columns.len() - table.partitions.len()]
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            assert!(own.ends_with(&META_COLUMNS), "{}", table.name);
            assert!(!table.comment.is_empty() && table.comment.ends_with('.'), "{}", table.name);
            for column in &table.columns {
                assert!(!column.comment.is_empty(), "{}.{}", table.name, column.name);
            }
        }
    }
}
