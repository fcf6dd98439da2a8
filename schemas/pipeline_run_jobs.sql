-- Written by: extract/run_jobs.rs: timeline records, read only where a job: solution needs them.
CREATE TABLE pipeline_run_jobs (
    run_id         BIGINT    NOT NULL COMMENT '-> pipeline_runs.run_id',
    record_id      STRING    NOT NULL COMMENT 'id of the record, GUID',
    attempt        INT       NOT NULL COMMENT 'attempt, from 1',
    parent_id      STRING             COMMENT 'record that contains this one',
    kind           STRING    NOT NULL COMMENT 'Stage | Phase | Job | Task | …',
    name           STRING    NOT NULL COMMENT 'name',
    path           STRING    NOT NULL COMMENT 'names of the stage, the job and the task, joined with /',
    state          STRING             COMMENT 'pending | inProgress | completed',
    result         STRING             COMMENT 'succeeded | succeededWithIssues | failed | canceled | skipped | abandoned; null until done',
    started_at     TIMESTAMP          COMMENT 'startTime, UTC',
    finished_at    TIMESTAMP          COMMENT 'finishTime, UTC',
    first_seen_at  TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, record_id, attempt)
)
COMMENT 'One row per stage, job or task record and attempt.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', queued_month STRING NOT NULL COMMENT 'month in which the run was queued, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at')
