-- Written by: extract/pull_requests.rs: labels of the list answer.
CREATE TABLE pull_request_labels (
    repository_id     STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id   BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    name              STRING    NOT NULL COMMENT 'name, as answered',
    label_id          STRING             COMMENT 'id, GUID',
    active            BOOLEAN   NOT NULL COMMENT 'active',
    first_seen_at     TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    was_seen_open     BOOLEAN            COMMENT 'true once listed while the pull request was active; null = never',
    was_seen_closed   BOOLEAN            COMMENT 'true once listed after the pull request was completed; null = never',
    removed_at        TIMESTAMP          COMMENT 'Date of the answer that no longer listed the label, UTC',
    was_removed_open  BOOLEAN            COMMENT 'true where it was missing last from an answer before the merge, false where it was missing after the merge only or listed again before it; null = never missing',
    _run_id           STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at        TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash             STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, name)
)
COMMENT 'One row per label of a pull request, the latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.keep-when-null' = 'was_seen_open, was_seen_closed, was_removed_open', 'adolake.tombstone' = 'removed_at')
