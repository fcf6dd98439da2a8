//! `adolake sql` through the built binary, on a small lake with hostile titles.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::cmd::Adolake;
use crate::support::lake;

const CONFIG: &str = "[defaults]\nproduction-branches = [\"main\", \"release/*\"]\n";

/// A folder with a config and a lake of one repository and three pull requests.
fn with_lake(config: Option<&str>) -> Adolake {
    let adolake = match config {
        Some(text) => Adolake::with_config(text),
        None => Adolake::new(),
    };
    lake::fill(&adolake.path().join("lake"));
    adolake
}

/// Replaces what changes from run to run, and shows what a terminal would obey.
fn steady(text: &str) -> String {
    let mut text = text.replace('\u{1b}', "<ESC>").replace('\u{7}', "<BEL>");
    while let Some(end) = text.find(" ms\n") {
        let start = text[..end].rfind(' ').unwrap();
        text.replace_range(start + 1..end + 3, "[time]");
    }
    text
}

#[test]
fn results_come_as_table_csv_json_and_lines() {
    let adolake = with_lake(Some(CONFIG));
    let query =
        "select pull_request_id, title, closed_at from pull_requests order by pull_request_id";
    insta::assert_snapshot!(steady(&adolake.run(&["sql", query]).told()), @r#"
    exit 0
    --- stdout
    ┌─────────────────┬───────────────────────────┬───────────┐
    │ pull_request_id │ title                     │ closed_at │
    ├─────────────────┼───────────────────────────┼───────────┤
    │               1 │ Add invoices              │           │
    │               2 │ =HYPERLINK("http://evil") │           │
    │               3 │ [2Jcleared next line      │           │
    └─────────────────┴───────────────────────────┴───────────┘
    --- stderr
    3 rows in [time]
    "#);
    insta::assert_snapshot!(steady(&adolake.run(&["sql", "--format", "csv", query]).told()), @r#"
    exit 0
    --- stdout
    pull_request_id,title,closed_at
    1,Add invoices,
    2,"'=HYPERLINK(""http://evil"")",
    3,"<ESC>[2Jcleared<BEL>
    next line",
    "#);
    let json = adolake.run(&["sql", "--format", "json", query]).json();
    insta::assert_snapshot!(json.to_string(), @r#"[{"pull_request_id":1,"title":"Add invoices","closed_at":null},{"pull_request_id":2,"title":"=HYPERLINK(\"http://evil\")","closed_at":null},{"pull_request_id":3,"title":"\u001b[2Jcleared\u0007\nnext line","closed_at":null}]"#);
    insta::assert_snapshot!(adolake.run(&["sql", "--format", "ndjson", query]).told(), @r#"
    exit 0
    --- stdout
    {"pull_request_id":1,"title":"Add invoices","closed_at":null}
    {"pull_request_id":2,"title":"=HYPERLINK(\"http://evil\")","closed_at":null}
    {"pull_request_id":3,"title":"\u001b[2Jcleared\u0007\nnext line","closed_at":null}
    "#);
    assert_eq!(
        adolake.run(&["sql", "--format", "json", "select 1 as one where false"]).stdout.trim(),
        "[]"
    );
}

#[test]
fn exports_hold_the_same_rows() {
    let adolake = with_lake(Some(CONFIG));
    let query = "select pull_request_id, title from pull_requests";
    let ended =
        adolake.run(&["sql", "--quiet", "--export", "a.parquet", "--export", "a.csv", query]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(adolake.read("a.csv").lines().next(), Some("pull_request_id,title"));
    let file = std::fs::File::open(adolake.path().join("a.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);
    let to_stdout = adolake.command(&["sql", "--format", "parquet", query]).output().unwrap();
    assert!(to_stdout.stdout.starts_with(b"PAR1"));
}

#[test]
fn a_column_of_nothing_but_null_is_empty_in_csv() {
    let ended =
        with_lake(None).run(&["sql", "--format", "csv", "select 1 as a, null as b, '' as c"]);
    assert_eq!(ended.stdout, "a,b,c\n1,,\"\"\n");
}

#[test]
fn what_parquet_cannot_hold_is_refused_before_anything_is_written() {
    let adolake = with_lake(None);
    let query = "select 1 as n, interval '1 day' as age";
    let parquet = ["sql", "--format", "parquet", query];
    let exported = ["sql", "--export", "a.parquet", query];
    for arguments in [parquet, exported] {
        let ended = adolake.run(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.told());
        assert!(ended.stderr.contains("column `age` is of type Interval"), "{}", ended.told());
        assert!(ended.stderr.contains("hint: cast it"), "{}", ended.told());
    }
    assert!(!adolake.path().join("a.parquet").exists());
    // One file behind the other is none.
    let ended = adolake.run(&["sql", "--format", "parquet", "select 1 as a; select 2 as b"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.told());
    assert!(ended.stderr.contains("a single statement"), "{}", ended.told());
}

#[test]
fn views_see_the_settings_of_the_config() {
    let query = "select repository, pattern from settings_in_force join production_branches_in_force \
                 using (organization, repository_id) order by pattern";
    let rows = with_lake(Some(CONFIG)).run(&["sql", "--format", "ndjson", query]);
    insta::assert_snapshot!(rows.told(), @r#"
    exit 0
    --- stdout
    {"repository":"api","pattern":"main"}
    {"repository":"api","pattern":"release/*"}
    "#);
    // Without a config file those of the latest check run hold; there is none, so the defaults do.
    let rows = with_lake(None).run(&["sql", "--format", "ndjson", query]);
    insta::assert_snapshot!(rows.told(), @r#"
    exit 0
    --- stdout
    {"repository":"api","pattern":"main"}
    "#);
    let views = with_lake(Some(CONFIG)).run(&[
        "sql",
        "--format",
        "csv",
        "select count(*) > 40 as many from information_schema.tables",
    ]);
    assert_eq!(views.stdout, "many\ntrue\n", "{}", views.told());
}

#[test]
fn statements_come_from_files_and_stdin() {
    let adolake = with_lake(Some(CONFIG));
    adolake.write("two.sql", "select 1 as one;\n-- another\nselect 2 as two;\n");
    let ended = adolake.run(&["sql", "--format", "csv", "-f", "two.sql"]);
    assert_eq!(ended.told(), "exit 0\n--- stdout\none\n1\ntwo\n2\n");
    let mut child = adolake
        .command(&["sql", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"select count(*) as n from pull_requests").unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), "n\n3\n");
    insta::assert_snapshot!(adolake.run(&["sql", "-f", "three.sql"]).told(), @r#"
    exit 2
    --- stderr
    error: cannot read SQL from `three.sql`
    caused by: No such file or directory (os error 2)
    hint: give a file that can be read, or `-` for stdin
    "#);
}

#[test]
fn mistakes_name_what_was_probably_meant() {
    let adolake = with_lake(Some(CONFIG));
    insta::assert_snapshot!(adolake.run(&["sql", "select titel from pull_requests"]).told(), @r#"
    exit 2
    --- stderr
    error: there is no column `titel`
    hint: did you mean `title`?
    "#);
    insta::assert_snapshot!(adolake.run(&["sql", "select * from pull_request"]).told(), @r#"
    exit 2
    --- stderr
    error: there is no table or view `pull_request`
    hint: did you mean `pull_requests`?
    "#);
    insta::assert_snapshot!(adolake.run(&["sql", "selct 1"]).told(), @r#"
    exit 2
    --- stderr
    error: this is not SQL: Expected: an SQL statement, found: selct at Line: 1, Column: 1
    hint: the dialect is that of DataFusion; `adolake tables` lists tables and columns
    "#);
    insta::assert_snapshot!(adolake.run(&["sql", "select lenght('a')"]).told(), @r#"
    exit 2
    --- stderr
    error: the query cannot be run: Invalid function 'lenght'
    hint: did you mean 'length'?
    "#);
    insta::assert_snapshot!(adolake.run(&["sql", "select cast('a' as int)"]).told(), @r#"
    exit 2
    --- stderr
    error: the query cannot be run: Cannot cast string 'a' to value of Int32 type
    "#);
    insta::assert_snapshot!(adolake.run(&["sql", ";"]).told(), @r#"
    exit 2
    --- stderr
    error: there is no statement to run
    hint: give one, such as `adolake sql "select * from latest_check_results"`, or none for the shell
    "#);
}

#[test]
fn nothing_but_reading_is_done() {
    let adolake = with_lake(Some(CONFIG));
    insta::assert_snapshot!(adolake.run(&["sql", "drop table pull_requests"]).told(), @r#"
    exit 2
    --- stderr
    error: `DROP TABLE …` is refused: the lake is read-only here
    hint: use SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE; `--export FILE` writes results to files
    "#);
    for sql in [
        "copy (select 1) to 'out.csv'",
        "copy pull_requests to 'out.parquet'",
        "create external table x stored as csv location 'two.sql'",
        "create table x as select 1",
        "insert into pull_requests select * from pull_requests",
        "delete from pull_requests",
        "set datafusion.execution.batch_size = 1",
        "explain analyze insert into pull_requests select * from pull_requests",
        "select 1; drop table pull_requests",
    ] {
        let ended = adolake.run(&["sql", sql]);
        assert_eq!(ended.code, Some(2), "{sql}: {}", ended.told());
        assert!(ended.stderr.contains("read-only"), "{sql}: {}", ended.told());
        assert_eq!(ended.stdout, "", "{sql}");
    }
    // A file is no table, whatever its name.
    adolake.write("passwords.csv", "a\n1\n");
    assert_eq!(adolake.run(&["sql", "select * from 'passwords.csv'"]).code, Some(2));
    assert_eq!(adolake.run(&["sql", "select * from \"passwords.csv\""]).code, Some(2));
    let left = std::fs::read_dir(adolake.path()).unwrap().count();
    assert_eq!(left, 3, "config, lake and the file of this test, nothing written");
}

#[test]
fn a_lake_has_to_be_there_and_be_a_folder() {
    let adolake = Adolake::with_config(CONFIG);
    insta::assert_snapshot!(adolake.run(&["sql", "select 1"]).told(), @r#"
    exit 2
    --- stderr
    error: there is no lake at `[folder]/lake` yet
    hint: `adolake sync` fills it
    "#);
    adolake.write("lake", "not a folder");
    insta::assert_snapshot!(adolake.run(&["sql", "select 1"]).told(), @r#"
    exit 2
    --- stderr
    error: the lake cannot be at `[folder]/lake`: it is not a folder
    hint: set `lake.url` to another folder, or move `[folder]/lake` away
    "#);
    insta::assert_snapshot!(Adolake::new().run(&["sql", "select 1"]).told(), @r#"
    exit 2
    --- stderr
    error: there is no lake at `[folder]/lake` yet
    hint: there is no config file here: write an `adolake.toml`, or name yours with `--config FILE`
    hint: `adolake demo` makes a lake to try
    "#);
}

#[test]
fn secrets_of_the_lake_have_to_be_there() {
    let adolake = Adolake::with_config(
        "[lake]\nurl = \"az://lake/adolake\"\noptions = { azure_storage_account_key = { env = \"STORAGE_KEY\" } }\n",
    );
    insta::assert_snapshot!(adolake.run(&["sql", "select 1"]).told(), @r#"
    exit 2
    --- stderr
    error: the environment variable `STORAGE_KEY` for `lake.options.azure_storage_account_key` is not set
    hint: set it, for example `export STORAGE_KEY=…`, or name another variable in the config
    "#);
}

/// Processor time that a process has used, in ticks of the system.
#[cfg(target_os = "linux")]
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn signals_stop_a_query_that_computes() {
    let adolake = with_lake(Some(CONFIG));
    let endless = "select count(*) from generate_series(1, 3000000) a cross join generate_series(1, 3000000) b \
                   where a.value * b.value = 7";
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = adolake.command(&["sql", endless]).stdout(Stdio::piped()).spawn().unwrap();
        // It answers in far less than this, so it computes by then.
        while ticks(child.id()) < 150 {
            assert!(child.try_wait().unwrap().is_none(), "the query ended by itself");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let killed =
            std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
}
