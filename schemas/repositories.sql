-- Written by: extract/repositories.rs: all repositories of the organization, hidden ones included.
CREATE TABLE repositories (
    repository_id         STRING    NOT NULL COMMENT 'id, GUID',
    project_id            STRING    NOT NULL COMMENT '-> projects.project_id',
    project               STRING    NOT NULL COMMENT 'name of the project, as last read',
    name                  STRING    NOT NULL COMMENT 'name, as last read',
    url                   STRING             COMMENT 'REST address',
    web_url               STRING             COMMENT 'address for people',
    default_branch        STRING             COMMENT 'short name of the default branch; null while the repository is empty',
    visibility            STRING             COMMENT 'visibility of the project',
    is_fork               BOOLEAN   NOT NULL COMMENT 'isFork',
    parent_repository_id  STRING             COMMENT 'repository that it was forked from; -> repositories.repository_id',
    is_disabled           BOOLEAN   NOT NULL COMMENT 'isDisabled: its contents cannot be read',
    is_in_maintenance     BOOLEAN   NOT NULL COMMENT 'isInMaintenance',
    size_bytes            BIGINT             COMMENT 'size',
    first_seen_at         TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    deleted_at            TIMESTAMP          COMMENT 'when its deletion was shown (recycle bin or deletedrepositories), UTC; null while it exists',
    last_visible_at       TIMESTAMP          COMMENT 'Date of the last answer that listed it, UTC; null while it is visible',
    _run_id               STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at            TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                 STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id)
)
COMMENT 'One row per repository, its latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at')
