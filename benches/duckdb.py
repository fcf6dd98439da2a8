"""Runs the checks of adolake in DuckDB on the Parquet files of a lake, for comparison.

    python duckdb.py job.json

The job names the live files of each table, the queries as adolake has them, and the values of their parameters. The
queries are translated word by word, so that both engines do the same work. One line of JSON is printed: seconds per
check and what it found.
"""

import json
import os
import re
import sys
import time

# This script is named like the package: its folder must not be searched first.
sys.path.pop(0)
import duckdb  # noqa: E402

# What is only spelled differently. Literals stand as @number@ here, so that nothing inside them is taken for a word.
WORDS = [
    (r"\bleft anti join\b", "anti join"),
    (r"\barrow_cast\((@\d+@), @\d+@\)", r"timestamptz \1"),
    (r"\btimestamp (@\d+@)", r"timestamptz \1"),
    (r"\bfirst_value\(", "first("),
    (r"\blast_value\(", "last("),
    (r"\bmake_array\(", "list_value("),
    (r"\bregexp_like\(", "regexp_matches("),
    (r"\bat\b", '"at"'),
]

# Functions that adolake adds to its engine.
MACROS = r"""
create macro glob_regex(pattern) as replace(replace(replace(replace(
    regexp_replace(regexp_replace(pattern, '([][.^$|(){}+?\\])', '\\\1', 'g'), '(^|/)\*\*/', '\1' || chr(1), 'g'),
    '**', chr(2)), '*', '[^/]*'), chr(1), '(?:.*/)?'), chr(2), '.*');
create macro glob_match(pattern, name) as regexp_full_match(name, glob_regex(pattern), 's');
create macro plain_path(path) as ltrim(lower(path), '/');
create macro path_rules(patterns, path) as list_transform(patterns, lambda g: {
    'fits': glob_match(plain_path(ltrim(g, '!')), plain_path(path)),
    'includes': not starts_with(g, '!')
});
create macro rules_decide(rules) as case
    when list_bool_or(list_transform(rules, lambda r: r.fits)) then list_filter(rules, lambda r: r.fits)[-1].includes
    else not list_bool_or(list_transform(rules, lambda r: r.includes))
end;
create macro path_match(patterns_json, path) as rules_decide(path_rules(from_json(patterns_json, '["varchar"]'), path));
"""


def translate(text):
    """Writes a query in the words of DuckDB."""
    literals = []

    def mask(match):
        if match[0].startswith("--"):
            return ""
        literals.append(match[0])
        return f"@{len(literals) - 1}@"

    text = re.sub(r"'(?:[^']|'')*'|--[^\n]*", mask, text)
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    text = translate_structs(text, literals)
    text = translate_values(text)
    return re.sub(r"@(\d+)@", lambda match: literals[int(match[1])], text)


def closing(text, start):
    """Returns the place of the parenthesis that closes the one before `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"no closing parenthesis in: {text}")


def arguments(text):
    """Splits at the commas outside of parentheses and brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def translate_structs(text, literals):
    """Turns named_struct('k', v) into {'k': v}.

    Structs in a list are sorted by their fields. There a null comes first for adolake and last for DuckDB, whatever
    the order asked for: a field before each time, the only fields that are null and decide, makes up for it.
    """
    opening = "named_struct("
    while (place := text.rfind(opening)) >= 0:
        start = place + len(opening)
        end = closing(text, start)
        parts = arguments(text[start:end])
        is_sorted = "array_sort(" in text and text[:place].endswith("array_agg(")
        fields = []
        for key, value in zip(parts[::2], parts[1::2]):
            name = literals[int(key.strip("@"))].strip("'")
            if is_sorted and re.search(r"(^|_)at$", name):
                fields.append(f"'has_{name}': {value} is not null")
            fields.append(f"'{name}': {value}")
        text = text[:place] + "{" + ", ".join(fields) + "}" + text[end + 1 :]
    return text


def translate_values(text):
    """Names the columns of (values ...) column1, column2, ... as adolake's engine does."""
    opening, place = "(values", 0
    while (place := text.find(opening, place)) >= 0:
        start = place + len(opening)
        end = closing(text, start) + 1
        first = text.index("(", start) + 1
        width = len(arguments(text[first : closing(text, first)]))
        alias = re.compile(r"\s+as (\w+)").match(text, end)
        name = alias[1] if alias else "rows_given"
        columns = ", ".join(f"column{number}" for number in range(1, width + 1))
        text = text[:end] + f" as {name}({columns})" + text[alias.end() if alias else end :]
        place = end
    return text


class Engine:
    """A database in memory with the tables of the lake, as views on its files."""

    def __init__(self, job):
        self.job = job
        self.views = {view["id"]: view for view in job["views"]}
        self.texts = {query["id"]: translate(query["text"]) for query in job["views"] + job["checks"]}
        self.parameters = {
            name: f"timestamptz '{value}'" if kind == "timestamp" else f"'{value}'"
            for name, (kind, value) in job["parameters"].items()
        }
        self.database = duckdb.connect()
        # What does not fit into memory goes beside the job, not into the folder from which the figures are asked for.
        spilled = os.path.join(job["folder"], "duckdb-spilled").replace("'", "''")
        self.run(f"set temp_directory = '{spilled}'")
        self.run("set timezone = 'UTC'")
        self.run("set default_null_order = 'nulls_last_on_asc_first_on_desc'")
        self.run(f"set threads = {job['threads']}")
        self.run("set parquet_metadata_cache = true")
        self.run(MACROS)
        for table in job["tables"]:
            self.run(f"create view {table['name']} as {files_query(table)}")

    def run(self, sql):
        """Runs statements."""
        try:
            return self.database.execute(sql)
        except duckdb.Error as error:
            raise SystemExit(f"{error}\nin: {sql[:2000]}") from error

    def needed(self, checks):
        """Returns the views that the checks read, directly or through others, each behind those that it reads."""
        wanted = {name for check in checks for name in check["reads"]}
        for view in reversed(self.job["views"]):
            if view["id"] in wanted:
                wanted.update(view["reads"])
        return [view for view in self.job["views"] if view["id"] in wanted]

    def judge(self, checks, kept):
        """Answers checks; views are answered once and kept as tables, or put in place wherever they are named.

        Returns the seconds. The verdicts stand in tables named like the checks.
        """
        views = self.needed(checks)
        for view in views:
            self.run(f"drop table if exists {view['id']}" if kept else f"drop view if exists {view['id']}")
        started = time.perf_counter()
        for view in views:
            kind = "temp table" if kept else "temp view"
            self.run(f"create {kind} {view['id']} as {self.texts[view['id']]}")
        for check in checks:
            text = re.sub(r"\$(\w+)", lambda match: self.parameters[match[1]], self.texts[check["id"]])
            self.run(f"create or replace temp table {check['id']} as {text}")
        seconds = time.perf_counter() - started
        for view in views:
            self.run(f"drop {'table' if kept else 'view'} {view['id']}")
        return seconds

    def verdicts(self, check):
        """Returns how many verdicts there are, and their digest: a sum, so that the order does not count."""
        resource = """concat_ws('/', organization, project, repository) ||
            coalesce('!' || pull_request_id, '@refs/heads/' || branch, '')"""
        line = f"concat_ws('|', {resource}, status, reason_code, flags)"
        (rows, digest), = self.run(
            f"select count(*), sum(('0x' || substr(sha256({line}), 1, 8))::ubigint)::varchar from {check['id']}"
        ).fetchall()
        return {"rows": rows, "digest": digest or "0"}


def files_query(table):
    """Reads the live files of a table; the values of partition columns stand in their paths."""
    columns = {column["name"]: column["type"] for column in table["columns"]}
    if not table["files"]:
        return "select " + ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items()) + " limit 0"
    files = ", ".join("'" + file.replace("'", "''") + "'" for file in table["files"])
    partitions = ", ".join(f"'{name}': varchar" for name in table["partitions"])
    hive = f"hive_partitioning = true, hive_types = {{{partitions}}}" if partitions else "hive_partitioning = false"
    names = ", ".join(f'"{name}"' for name in columns)
    return f"select {names} from read_parquet([{files}], {hive})"


def peak_memory():
    """Returns the most memory that the process ever held, MiB."""
    with open("/proc/self/status", encoding="utf-8") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    job["folder"] = os.path.dirname(os.path.abspath(sys.argv[1]))
    engine, answer = Engine(job), {"version": duckdb.__version__, "checks": {}}
    # A brief answer: all checks together, by views that are kept.
    for kept in (True,) if job["brief"] else (True, False):
        for check in [] if job["brief"] else job["checks"]:
            best = min(engine.judge([check], kept) for _ in range(job["repeats"]))
            found = answer["checks"].setdefault(check["id"], {"seconds": best})
            found["seconds"] = min(best, found["seconds"])
            found["kept" if kept else "inplace"] = best
        best = min(engine.judge(job["checks"], kept) for _ in range(job["repeats"]))
        answer["seconds"] = min(best, answer.get("seconds", best))
        answer["kept" if kept else "inplace"] = best
    for check in job["checks"]:
        answer["checks"].setdefault(check["id"], {}).update(engine.verdicts(check))
    answer["peak_mib"] = peak_memory()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
