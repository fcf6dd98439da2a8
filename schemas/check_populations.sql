-- Written by: checks/store.rs.
CREATE TABLE check_populations (
    run_id         STRING    NOT NULL COMMENT 'the check run; -> check_runs.run_id',
    repository_id  STRING    NOT NULL COMMENT '-> repositories.repository_id',
    branch         STRING    NOT NULL COMMENT 'short name',
    closed_month   STRING    NOT NULL COMMENT 'month of closed_at, YYYY-MM, UTC',
    listed         BIGINT             COMMENT 'completed pull requests that Azure DevOps listed; null = never counted',
    landed         BIGINT    NOT NULL COMMENT 'completed pull requests in the lake',
    judged         BIGINT    NOT NULL COMMENT 'pull requests that every check of this run judged, the least of them',
    judged_json    STRING    NOT NULL COMMENT 'check id -> pull requests that it judged',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, repository_id, branch, closed_month)
)
COMMENT 'One row per check run, production branch and month of merging.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
