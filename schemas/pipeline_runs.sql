-- Written by: extract/runs.rs: builds by finish time, and the unfinished ones.
CREATE TABLE pipeline_runs (
    run_id                      BIGINT    NOT NULL COMMENT 'id of the build, unique in the organization',
    project_id                  STRING    NOT NULL COMMENT '-> projects.project_id',
    pipeline_id                 BIGINT    NOT NULL COMMENT 'definition.id; -> pipelines.pipeline_id',
    pipeline_name               STRING             COMMENT 'definition.name, as last read',
    pipeline_folder             STRING             COMMENT 'definition.path, with backslashes, as last read',
    repository_id               STRING             COMMENT 'repository.id; of a TfsGit repository: -> repositories.repository_id',
    repository_type             STRING             COMMENT 'TfsGit | GitHub | …; only TfsGit runs belong to pull requests here',
    build_number                STRING             COMMENT 'buildNumber',
    reason                      STRING             COMMENT 'pullRequest | manual | individualCI | batchedCI | schedule | …',
    status                      STRING             COMMENT 'notStarted | inProgress | cancelling | postponed | completed | …',
    result                      STRING             COMMENT 'succeeded | partiallySucceeded | failed | canceled | none; null until finished',
    source_branch               STRING             COMMENT 'sourceBranch as answered: refs/pull/N/merge, or a full ref',
    source_version              STRING             COMMENT 'sourceVersion: the commit that was built',
    pull_request_id             BIGINT             COMMENT 'pull request of a TfsGit run, from its refs/pull/N/merge branch, its parameters or its triggerInfo',
    pull_request_iteration      INT                COMMENT 'system.pullRequest.pullRequestIteration of the parameters',
    pull_request_source_branch  STRING             COMMENT 'system.pullRequest.sourceBranch of the parameters, full ref',
    pull_request_source_commit  STRING             COMMENT 'system.pullRequest.sourceCommitId of the parameters',
    queued_at                   TIMESTAMP NOT NULL COMMENT 'queueTime, UTC',
    started_at                  TIMESTAMP          COMMENT 'startTime, UTC',
    finished_at                 TIMESTAMP          COMMENT 'finishTime, as last read, UTC; null until finished',
    requested_for               STRING             COMMENT 'unique name of requestedFor',
    url                         STRING             COMMENT 'address for people, else the REST address',
    first_seen_at               TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    deleted_at                  TIMESTAMP          COMMENT 'Date of the answer that showed it deleted, UTC; the row stays',
    jobs_read_at                TIMESTAMP          COMMENT 'Date of the timeline answer, UTC; null = never read',
    jobs_gone_at                TIMESTAMP          COMMENT 'Date of the answer that the timeline is gone (204), UTC',
    _run_id                     STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at                  TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                       STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id)
)
COMMENT 'One row per pipeline run, its latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', queued_month STRING NOT NULL COMMENT 'month in which the run was queued, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at, deleted_at', 'adolake.keep-when-null' = 'pipeline_name, pipeline_folder, repository_id, repository_type, build_number, reason, status, source_branch, source_version, requested_for, url, jobs_read_at, jobs_gone_at, result, finished_at, started_at, pull_request_id, pull_request_iteration, pull_request_source_branch, pull_request_source_commit')
