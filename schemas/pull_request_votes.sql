-- Written by: extract/pull_request_details.rs: system threads VoteUpdate, ResetAllVotes and ResetMultipleVotes.
CREATE TABLE pull_request_votes (
    repository_id      STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id    BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    thread_id          BIGINT    NOT NULL COMMENT 'id of the thread',
    voter_id           STRING    NOT NULL COMMENT 'identity id, GUID; * where a reset voids all votes; empty where a reset of several names nobody',
    kind               STRING    NOT NULL COMMENT 'vote | reset',
    vote               INT                COMMENT 'vote that was cast; null for a reset',
    at                 TIMESTAMP NOT NULL COMMENT 'publishedDate of the thread, UTC',
    voter_unique_name  STRING             COMMENT 'mail or unique name of the voter',
    voter_descriptor   STRING             COMMENT 'subject descriptor of the voter',
    initiator_id       STRING             COMMENT 'identity id of who did it',
    _run_id            STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at         TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash              STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, thread_id, voter_id)
)
COMMENT 'One row per vote event, and per voter that a reset names.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge')
