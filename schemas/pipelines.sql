-- Written by: extract/pipelines.rs: build definitions.
CREATE TABLE pipelines (
    project_id       STRING    NOT NULL COMMENT '-> projects.project_id',
    pipeline_id      BIGINT    NOT NULL COMMENT 'id of the definition',
    name             STRING    NOT NULL COMMENT 'name, as last read',
    folder           STRING    NOT NULL COMMENT 'path, with backslashes; \\ = the root',
    revision         BIGINT             COMMENT 'revision',
    repository_id    STRING             COMMENT 'repository that it builds',
    repository_type  STRING             COMMENT 'TfsGit | GitHub | …',
    first_seen_at    TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    deleted_at       TIMESTAMP          COMMENT 'Date of the complete answer that no longer listed it, UTC; null while it exists',
    _run_id          STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at       TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash            STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, project_id, pipeline_id)
)
COMMENT 'One row per pipeline, its latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.tombstone' = 'deleted_at')
