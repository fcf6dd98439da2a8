-- Written by: extract/pull_request_details.rs.
CREATE TABLE pull_request_statuses (
    repository_id    STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id  BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    status_id        BIGINT    NOT NULL COMMENT 'id, per pull request',
    genre            STRING             COMMENT 'context.genre; null = none',
    name             STRING    NOT NULL COMMENT 'context.name',
    state            STRING    NOT NULL COMMENT 'notSet | pending | succeeded | failed | error | notApplicable; absent = notSet',
    iteration_id     INT                COMMENT 'iteration that it is bound to; null = valid for any code',
    created_at       TIMESTAMP NOT NULL COMMENT 'creationDate, UTC',
    updated_at       TIMESTAMP          COMMENT 'updatedDate, UTC',
    created_by       STRING             COMMENT 'unique name of createdBy',
    description      STRING             COMMENT 'description',
    target_url       STRING             COMMENT 'targetUrl',
    first_seen_at    TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    removed_at       TIMESTAMP          COMMENT 'Date of the answer that no longer listed it, UTC',
    _run_id          STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at       TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash            STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, status_id)
)
COMMENT 'One row per status posted to a pull request.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.tombstone' = 'removed_at')
