-- Written by: extract/retention.rs: how long a project keeps its runs.
CREATE TABLE retention_settings (
    project_id                    STRING    NOT NULL COMMENT '-> projects.project_id',
    first_seen_at                 TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    purge_runs_days               INT                COMMENT 'purgeRuns.value',
    purge_pull_request_runs_days  INT                COMMENT 'purgePullRequestRuns.value',
    deleted_runs_kept_days        INT                COMMENT 'daysToKeepDeletedBuildsBeforeDestroy of the build settings',
    _run_id                       STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at                    TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                         STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, project_id, first_seen_at)
)
COMMENT 'One row per project and state of its retention settings.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'insert')
