-- Written by: sync/run.rs: after the rows that it stands for.
CREATE TABLE sync_runs (
    run_id       STRING    NOT NULL COMMENT 'the sync',
    resource     STRING    NOT NULL COMMENT 'what was read, e.g. pull_requests.completed',
    scope        STRING    NOT NULL COMMENT 'what it was read within: an organization name, a project or repository id, repository_id@ref, or a part of these, e.g. project_id@listed',
    scope_name   STRING             COMMENT 'the same for people',
    window_from  TIMESTAMP NOT NULL COMMENT 'lower bound of what was read, UTC; 1970-01-01 = from the beginning, and for what has no window',
    window_to    TIMESTAMP NOT NULL COMMENT 'upper bound of what was read, UTC',
    status       STRING    NOT NULL COMMENT 'ok | partial | unreadable | skipped',
    requests     BIGINT    NOT NULL COMMENT 'requests sent',
    pages        BIGINT    NOT NULL COMMENT 'pages that held rows',
    rows         BIGINT    NOT NULL COMMENT 'rows read',
    retries      BIGINT    NOT NULL COMMENT 'requests that were repeated',
    throttled_s  DOUBLE    NOT NULL COMMENT 'time spent waiting because Azure DevOps asked for it, seconds',
    error        STRING             COMMENT 'what went wrong; null when ok',
    settled      STRING             COMMENT 'what need not be looked up again while nothing has changed, JSON: of project_id@listed what its lists named, of organization@settled which questions found nothing missing',
    started_at   TIMESTAMP NOT NULL COMMENT 'Date of the first answer of the sync, UTC',
    finished_at  TIMESTAMP NOT NULL COMMENT 'Date of the last answer before this row was written, UTC',
    _run_id      STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at   TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash        STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, resource, scope, window_from)
)
COMMENT 'One row per resource, scope and window of a sync.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
