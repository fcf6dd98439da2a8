-- Written by: extract/branches.rs: refs under refs/heads.
CREATE TABLE branches (
    repository_id  STRING    NOT NULL COMMENT '-> repositories.repository_id',
    name           STRING    NOT NULL COMMENT 'short name, without refs/heads/',
    commit_id      STRING    NOT NULL COMMENT 'commit that it points at',
    is_default     BOOLEAN   NOT NULL COMMENT 'true for the default branch of the repository',
    is_locked      BOOLEAN   NOT NULL COMMENT 'isLocked',
    first_seen_at  TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    deleted_at     TIMESTAMP          COMMENT 'Date of the complete answer that no longer listed it, UTC; null while it exists',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, name)
)
COMMENT 'One row per branch, its latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.tombstone' = 'deleted_at')
