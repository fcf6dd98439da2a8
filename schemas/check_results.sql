-- Written by: checks/store.rs: a row only where status, reason, flags or evidence differ from the last row of the resource under the same profile.
CREATE TABLE check_results (
    run_id           STRING    NOT NULL COMMENT 'the check run; -> check_runs.run_id',
    profile          STRING    NOT NULL COMMENT 'standard | strict',
    check_id         STRING    NOT NULL COMMENT 'the check',
    resource         STRING    NOT NULL COMMENT 'org/project/repo!123, or org/project/repo@refs/heads/main',
    checked_at       TIMESTAMP NOT NULL COMMENT 'when the check run began, UTC',
    project          STRING             COMMENT 'name of the project',
    repository_id    STRING             COMMENT '-> repositories.repository_id',
    repository       STRING             COMMENT 'name of the repository',
    branch           STRING             COMMENT 'short name',
    pull_request_id  BIGINT             COMMENT 'number of the pull request',
    subject          STRING             COMMENT 'title of the pull request, or name of the branch',
    resource_url     STRING             COMMENT 'address for people',
    status           STRING    NOT NULL COMMENT 'pass | fail | exempt | not_applicable | unknown | withdrawn',
    reason_code      STRING    NOT NULL COMMENT 'the deciding reason',
    reason           STRING    NOT NULL COMMENT 'the same as a sentence',
    flags            STRING    NOT NULL COMMENT 'sorted, joined with commas; empty = none',
    evidence_json    STRING    NOT NULL COMMENT 'what decided',
    _run_id          STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at       TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash            STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, profile, check_id, resource)
)
COMMENT 'One row per verdict that changed.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
