//! SQL DDL → [`Table`], with file and line in every complaint.

use std::any::TypeId;

use datafusion::sql::sqlparser::ast::{
    ColumnDef, ColumnOption, CommentDef, CreateTable, CreateTableOptions, Expr,
    HiveDistributionStyle, Ident, SqlOption, Statement, TableConstraint, Value,
};
use datafusion::sql::sqlparser::dialect::{Dialect, HiveDialect};
use datafusion::sql::sqlparser::parser::Parser;

use super::error::Error;
use super::table::{Column, Kind, Table, WriteMode};

/// Parses the one `CREATE TABLE` statement of a schema file.
///
/// # Errors
/// Fails when the text is not one such statement, when a column or the table lacks a comment, when a type is not
/// one of [`Kind`], or when it holds a clause that tables here do not have.
pub fn parse_table(file: &str, text: &str) -> Result<Table, Error> {
    let create = parse_statement(file, text)?;
    let table = Definition { file, text }.table(&create)?;
    // What the table does not express would be lost without a word, so printing it must give the same statement.
    if parse_statement(file, &table.to_string())? == create {
        Ok(table)
    } else {
        let problem = "holds a clause that tables here do not have".to_owned();
        Err(Error::Definition { file: file.to_owned(), line: 1, problem })
    }
}

fn parse_statement(file: &str, text: &str) -> Result<CreateTable, Error> {
    let syntax = |problem: String| Error::Syntax { file: file.to_owned(), problem };
    let mut statements =
        Parser::parse_sql(&SchemaDialect, text).map_err(|error| syntax(error.to_string()))?;
    match (statements.pop(), statements.len()) {
        (Some(Statement::CreateTable(create)), 0) => Ok(create),
        _ => Err(syntax("expected one CREATE TABLE statement".into())),
    }
}

/// Hive's dialect, whose names may also begin with an underscore.
#[derive(Debug)]
struct SchemaDialect;

impl Dialect for SchemaDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<HiveDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch == '_' || HiveDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        HiveDialect {}.is_identifier_part(ch)
    }
}

struct Definition<'a> {
    file: &'a str,
    text: &'a str,
}

impl Definition<'_> {
    fn table(&self, create: &CreateTable) -> Result<Table, Error> {
        let mut columns = create
            .columns
            .iter()
            .map(|column| self.column(column))
            .collect::<Result<Vec<_>, _>>()?;
        let own = columns.len();
        if let HiveDistributionStyle::PARTITIONED { columns: partitions } =
            &create.hive_distribution
        {
            for partition in partitions {
                columns.push(self.column(partition)?);
            }
        }
        let written_by =
            self.text.lines().next().and_then(|line| line.strip_prefix("-- Written by: "));
        let mut table = Table {
            name: create.name.to_string(),
            comment: self.comment(create)?,
            written_by: written_by
                .ok_or_else(|| self.problem(1, "must begin with `-- Written by: `"))?
                .to_owned(),
            partitions: (own..columns.len()).collect(),
            columns,
            key: Vec::new(),
            mode: WriteMode::Append,
            keep_first: Vec::new(),
            keep_when_null: Vec::new(),
            tombstone: None,
            not_hashed: Vec::new(),
        };
        table.key = self.key(create, &table)?;
        self.set_properties(create, &mut table)?;
        Ok(table)
    }

    fn column(&self, column: &ColumnDef) -> Result<Column, Error> {
        let line = column.name.span.start.line;
        let sql = column.data_type.to_string();
        let kinds = [
            Kind::Text,
            Kind::BigInt,
            Kind::Int,
            Kind::Double,
            Kind::Boolean,
            Kind::Date,
            Kind::Timestamp,
        ];
        let kind = kinds.into_iter().find(|kind| kind.sql() == sql);
        let kind = kind.ok_or_else(|| {
            self.problem(line, &format!("type `{sql}` is not one that columns may have"))
        })?;
        let comment = column.options.iter().find_map(|option| match &option.option {
            ColumnOption::Comment(text) => Some(text.clone()),
            _ => None,
        });
        let comment = comment.ok_or_else(|| {
            self.problem(line, &format!("column `{}` has no comment", column.name))
        })?;
        let is_nullable =
            !column.options.iter().any(|option| option.option == ColumnOption::NotNull);
        Ok(Column { name: column.name.value.clone(), kind, is_nullable, comment })
    }

    fn comment(&self, create: &CreateTable) -> Result<String, Error> {
        match &create.comment {
            Some(CommentDef::WithoutEq(text) | CommentDef::WithEq(text)) => Ok(text.clone()),
            None => Err(self.problem(1, "the table has no comment")),
        }
    }

    fn key(&self, create: &CreateTable, table: &Table) -> Result<Vec<usize>, Error> {
        let [TableConstraint::PrimaryKey(key)] = create.constraints.as_slice() else {
            return Err(self.problem(1, "must have one PRIMARY KEY and no other constraint"));
        };
        key.columns
            .iter()
            .map(|column| self.position(table, &column.column.expr.to_string()))
            .collect()
    }

    fn set_properties(&self, create: &CreateTable, table: &mut Table) -> Result<(), Error> {
        let CreateTableOptions::TableProperties(options) = &create.table_options else {
            return Err(self.problem(1, "must have TBLPROPERTIES with 'adolake.write'"));
        };
        for option in options {
            let (key, value) = self.property(option)?;
            let line = key.span.start.line;
            match key.value.as_str() {
                "adolake.write" => {
                    let mode = WriteMode::ALL
                        .iter()
                        .find(|(name, _)| *name == value)
                        .map(|(_, mode)| *mode);
                    table.mode = mode.ok_or_else(|| {
                        self.problem(line, &format!("unknown write mode `{value}`"))
                    })?;
                }
                "adolake.keep-first" => table.keep_first = self.positions(table, value)?,
                "adolake.keep-when-null" => table.keep_when_null = self.positions(table, value)?,
                "adolake.tombstone" => table.tombstone = Some(self.position(table, value)?),
                "adolake.not-hashed" => table.not_hashed = self.positions(table, value)?,
                other => return Err(self.problem(line, &format!("unknown property `{other}`"))),
            }
        }
        Ok(())
    }

    fn property<'o>(&self, option: &'o SqlOption) -> Result<(&'o Ident, &'o str), Error> {
        if let SqlOption::KeyValue { key, value: Expr::Value(value) } = option
            && let Value::SingleQuotedString(text) = &value.value
        {
            return Ok((key, text));
        }
        Err(self.problem(1, &format!("property `{option}` is not 'name' = 'text'")))
    }

    fn positions(&self, table: &Table, names: &str) -> Result<Vec<usize>, Error> {
        names.split(", ").map(|name| self.position(table, name)).collect()
    }

    fn position(&self, table: &Table, name: &str) -> Result<usize, Error> {
        table.index(name).ok_or_else(|| self.problem(1, &format!("there is no column `{name}`")))
    }

    fn problem(&self, line: u64, problem: &str) -> Error {
        Error::Definition {
            file: self.file.to_owned(),
            line: line.max(1),
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "-- Written by: nobody.
CREATE TABLE things (
    thing_id BIGINT NOT NULL COMMENT 'id',
    name STRING COMMENT 'it''s a name',
    PRIMARY KEY (organization, thing_id)
)
COMMENT 'One row per thing.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'organization')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-when-null' = 'name')
";

    #[test]
    fn a_definition_gives_its_table() {
        let table = parse_table("things.sql", GOOD).unwrap();
        assert_eq!((table.name.as_str(), table.mode), ("things", WriteMode::Merge));
        assert_eq!(
            (table.key, table.partitions, table.keep_when_null),
            (vec![2, 0], vec![2], vec![1])
        );
        assert_eq!(table.columns[1].comment, "it's a name");
    }

    #[test]
    fn complaints_name_file_and_line() {
        let complaint = |from: &str, to: &str| {
            parse_table("things.sql", &GOOD.replace(from, to)).unwrap_err().to_string()
        };
        assert_eq!(
            complaint("STRING COMMENT", "FLOAT COMMENT"),
            "things.sql:4: type `FLOAT` is not one that columns may have"
        );
        assert_eq!(
            complaint(" COMMENT 'id'", ""),
            "things.sql:3: column `thing_id` has no comment"
        );
        assert_eq!(complaint("'merge'", "'upsert'"), "things.sql:1: unknown write mode `upsert`");
        assert_eq!(complaint("thing_id)", "thing)"), "things.sql:1: there is no column `thing`");
        assert_eq!(
            complaint("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"),
            "things.sql:1: holds a clause that tables here do not have"
        );
        assert!(
            complaint("CREATE", "CREAT")
                .starts_with("cannot parse table definition `things.sql`: ")
        );
    }
}
