-- Written by: extract/pull_request_details.rs.
CREATE TABLE pull_request_iterations (
    repository_id          STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id        BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    iteration_id           INT       NOT NULL COMMENT 'id, from 1',
    pushed_by_id           STRING             COMMENT 'push.pushedBy, else author: identity id, GUID',
    pushed_by_unique_name  STRING             COMMENT 'push.pushedBy, else author: mail or unique name',
    push_id                BIGINT             COMMENT 'push.pushId',
    at                     TIMESTAMP NOT NULL COMMENT 'createdDate, UTC',
    reason                 STRING             COMMENT 'create | push | forcePush | rebase | retarget | resolveConflicts | unknown',
    source_commit          STRING             COMMENT 'sourceRefCommit',
    target_commit          STRING             COMMENT 'targetRefCommit',
    common_commit          STRING             COMMENT 'commonRefCommit',
    old_target_ref         STRING             COMMENT 'oldTargetRefName of a retarget, full ref',
    new_target_ref         STRING             COMMENT 'newTargetRefName of a retarget, full ref',
    _run_id                STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at             TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                  STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, iteration_id)
)
COMMENT 'One row per iteration (push, retarget) of a pull request.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge')
