-- Written by: extract/pull_request_details.rs: what the branch policies said, as first read after the close.
CREATE TABLE pull_request_policy_evaluations (
    evaluation_id        STRING    NOT NULL COMMENT 'evaluationId, GUID',
    repository_id        STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id      BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    policy_id            BIGINT             COMMENT 'configuration.id; -> branch_policies.policy_id',
    policy_revision      BIGINT             COMMENT 'configuration.revision',
    policy_type_id       STRING             COMMENT 'configuration.type.id, GUID',
    is_blocking          BOOLEAN            COMMENT 'configuration.isBlocking',
    build_definition_id  BIGINT             COMMENT 'configuration.settings.buildDefinitionId; -> pipelines.pipeline_id',
    status_genre         STRING             COMMENT 'configuration.settings.statusGenre',
    status_name          STRING             COMMENT 'configuration.settings.statusName',
    status               STRING    NOT NULL COMMENT 'queued | running | approved | rejected | notApplicable | broken',
    started_at           TIMESTAMP          COMMENT 'startedDate, UTC',
    completed_at         TIMESTAMP          COMMENT 'completedDate, UTC',
    build_id             BIGINT             COMMENT 'context.buildId; -> pipeline_runs.run_id',
    source_commit        STRING             COMMENT 'context.lastMergeSourceCommitId',
    merge_commit         STRING             COMMENT 'context.lastMergeCommitId',
    is_expired           BOOLEAN            COMMENT 'context.isExpired',
    first_seen_at        TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    _run_id              STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at           TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, evaluation_id)
)
COMMENT 'One row per policy evaluation of a pull request.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'fill')
