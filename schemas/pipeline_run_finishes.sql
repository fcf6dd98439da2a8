-- Written by: extract/runs.rs: every finish that was seen; a stage that is run again finishes again.
CREATE TABLE pipeline_run_finishes (
    run_id         BIGINT    NOT NULL COMMENT '-> pipeline_runs.run_id',
    finished_at    TIMESTAMP NOT NULL COMMENT 'finishTime, UTC',
    result         STRING             COMMENT 'result at this finish',
    first_seen_at  TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, finished_at)
)
COMMENT 'One row per finish of a run; never changed.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', queued_month STRING NOT NULL COMMENT 'month in which the run was queued, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'insert')
