-- Written by: extract/pushes.rs: pushes to production branches.
CREATE TABLE pushes (
    repository_id          STRING    NOT NULL COMMENT '-> repositories.repository_id',
    push_id                BIGINT    NOT NULL COMMENT 'pushId, rising',
    ref_name               STRING    NOT NULL COMMENT 'full ref that was updated',
    pushed_by_id           STRING             COMMENT 'pushedBy: identity id, GUID',
    pushed_by_unique_name  STRING             COMMENT 'pushedBy: mail or unique name',
    at                     TIMESTAMP NOT NULL COMMENT 'date of the push on the server, UTC',
    old_commit             STRING             COMMENT 'oldObjectId; all zeros = creation',
    new_commit             STRING             COMMENT 'newObjectId; all zeros = deletion',
    kind                   STRING    NOT NULL COMMENT 'update | create | delete',
    is_force               BOOLEAN            COMMENT 'true where the old commit is no ancestor of the new one; null = not asked, because a pull request explains the push',
    pull_request_ids       STRING             COMMENT 'pull requests that pullrequestquery names for the new commit, joined with commas; empty = asked, none; null = not asked',
    first_seen_at          TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    _run_id                STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at             TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                  STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, push_id, ref_name)
)
COMMENT 'One row per ref update of a push to a production branch.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', pushed_month STRING NOT NULL COMMENT 'month of the push, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.keep-when-null' = 'is_force, pull_request_ids')
