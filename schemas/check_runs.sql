-- Written by: checks/store.rs.
CREATE TABLE check_runs (
    run_id                STRING    NOT NULL COMMENT 'the check run',
    started_at            TIMESTAMP NOT NULL COMMENT 'when it began, UTC',
    finished_at           TIMESTAMP NOT NULL COMMENT 'when it ended, UTC',
    version               STRING    NOT NULL COMMENT 'version of adolake',
    profile               STRING    NOT NULL COMMENT 'standard | strict',
    start_at              TIMESTAMP NOT NULL COMMENT 'start date as an instant, UTC',
    period_from           TIMESTAMP          COMMENT 'lower bound of the period (start date or --since), UTC',
    period_to             TIMESTAMP NOT NULL COMMENT 'upper bound of the period (--until or as-of), UTC',
    as_of                 TIMESTAMP NOT NULL COMMENT 'the point in time that was judged, UTC',
    checks                STRING    NOT NULL COMMENT 'ids of the checks that ran, joined with commas',
    table_versions_json   STRING    NOT NULL COMMENT 'table name -> Delta version read',
    settings_hash         STRING    NOT NULL COMMENT 'SHA-256 of settings_json, hexadecimal',
    settings_json         STRING    NOT NULL COMMENT 'the settings in force',
    query_hashes_json     STRING    NOT NULL COMMENT 'query name -> SHA-256 of its text',
    queries_json          STRING    NOT NULL COMMENT 'query name -> its text',
    parameters_json       STRING             COMMENT 'parameter of a check -> value given for it; null = before they were kept',
    pass_count            BIGINT    NOT NULL COMMENT 'findings with status pass',
    fail_count            BIGINT    NOT NULL COMMENT 'findings with status fail',
    exempt_count          BIGINT    NOT NULL COMMENT 'findings with status exempt',
    not_applicable_count  BIGINT    NOT NULL COMMENT 'findings with status not_applicable',
    unknown_count         BIGINT    NOT NULL COMMENT 'findings with status unknown',
    findings_sha256       STRING    NOT NULL COMMENT 'SHA-256 over all findings in order, hexadecimal',
    counts_agree          BOOLEAN   NOT NULL COMMENT 'true where listed, landed and judged agree (check_populations)',
    _run_id               STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at            TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                 STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (run_id)
)
COMMENT 'One row per check run.'
TBLPROPERTIES ('adolake.write' = 'append')
