-- Written by: checks/settings.rs: the configuration, resolved.
CREATE TABLE production_branches (
    run_id         STRING    NOT NULL COMMENT 'the check run; -> check_runs.run_id',
    repository_id  STRING    NOT NULL COMMENT '-> repositories.repository_id',
    pattern_index  INT       NOT NULL COMMENT 'position in the list, from 0',
    pattern        STRING    NOT NULL COMMENT 'glob on the short branch name',
    is_glob        BOOLEAN   NOT NULL COMMENT 'true where the pattern holds a *',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, repository_id, pattern_index)
)
COMMENT 'One row per check run, repository and production branch pattern.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
