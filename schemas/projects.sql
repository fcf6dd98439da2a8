-- Written by: extract/projects.rs: all projects that the identity can see.
CREATE TABLE projects (
    project_id      STRING    NOT NULL COMMENT 'id, GUID',
    name            STRING    NOT NULL COMMENT 'name, as last read',
    description     STRING             COMMENT 'description',
    url             STRING             COMMENT 'REST address',
    visibility      STRING             COMMENT 'private | public | organization',
    state           STRING             COMMENT 'wellFormed | createPending | new | deleting | deleted',
    revision        BIGINT             COMMENT 'revision',
    last_update_at  TIMESTAMP          COMMENT 'lastUpdateTime, UTC',
    first_seen_at   TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    deleted_at      TIMESTAMP          COMMENT 'when its deletion was shown, UTC; null while it exists',
    _run_id         STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at      TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash           STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, project_id)
)
COMMENT 'One row per project, its latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at')
