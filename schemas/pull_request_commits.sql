-- Written by: extract/pull_request_details.rs.
CREATE TABLE pull_request_commits (
    repository_id    STRING    NOT NULL COMMENT 'target repository; -> repositories.repository_id',
    pull_request_id  BIGINT    NOT NULL COMMENT 'number of the pull request, unique in the organization',
    commit_id        STRING    NOT NULL COMMENT 'commitId',
    author_name      STRING             COMMENT 'author.name',
    author_mail      STRING             COMMENT 'author.email',
    authored_at      TIMESTAMP          COMMENT 'author.date, as git has it, UTC',
    committer_name   STRING             COMMENT 'committer.name',
    committer_mail   STRING             COMMENT 'committer.email',
    committed_at     TIMESTAMP          COMMENT 'committer.date, as git has it, UTC',
    _run_id          STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at       TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash            STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, pull_request_id, commit_id)
)
COMMENT 'One row per source commit of a pull request.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', created_month STRING NOT NULL COMMENT 'month in which the pull request was created, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'merge')
