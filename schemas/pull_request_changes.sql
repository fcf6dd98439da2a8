-- Written by: extract/pull_request_details.rs: read only where a paths setting applies.
CREATE TABLE pull_request_changes (
    repository_id    STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id  BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    path             STRING    NOT NULL COMMENT 'item.path, with the leading slash',
    change_type      STRING             COMMENT 'changeType',
    original_path    STRING             COMMENT 'path before a rename',
    _run_id          STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at       TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash            STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, path)
)
COMMENT 'One row per path that the final iteration changes against the common commit.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge')
