-- Written by: extract/pull_requests.rs: reviewers of the list answer.
CREATE TABLE pull_request_reviewers (
    repository_id       STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id     BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    reviewer_id         STRING    NOT NULL COMMENT 'identity id, GUID',
    display_name        STRING             COMMENT 'displayName',
    unique_name         STRING             COMMENT 'uniqueName',
    descriptor          STRING             COMMENT 'subject descriptor; the list answer does not carry it',
    vote                INT       NOT NULL COMMENT '10 approved, 5 approved with suggestions, 0 none, -5 waiting for author, -10 rejected',
    is_group            BOOLEAN   NOT NULL COMMENT 'isContainer: a team or group, its vote is rolled up from its members',
    voted_for           STRING             COMMENT 'ids of the groups that this vote counts for, joined with commas',
    is_required         BOOLEAN   NOT NULL COMMENT 'isRequired',
    has_declined        BOOLEAN   NOT NULL COMMENT 'hasDeclined',
    first_seen_at       TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    removed_at          TIMESTAMP          COMMENT 'Date of the answer that no longer listed the reviewer, UTC',
    vote_while_open     INT                COMMENT 'last vote listed while the pull request was active; null = never listed then',
    vote_while_open_at  TIMESTAMP          COMMENT 'Date of the first answer that listed this vote then, UTC',
    _run_id             STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at          TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash               STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, reviewer_id)
)
COMMENT 'One row per reviewer of a pull request, the latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.keep-when-null' = 'vote_while_open, vote_while_open_at, descriptor', 'adolake.tombstone' = 'removed_at')
