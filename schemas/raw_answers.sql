-- Written by: extract/raw.rs: answers about judged pull requests and their details.
CREATE TABLE raw_answers (
    resource      STRING    NOT NULL COMMENT 'resource that was asked for, e.g. pull_requests, threads',
    object_key    STRING    NOT NULL COMMENT 'what the answer is about, repository id and pull request number joined with !',
    content_hash  STRING    NOT NULL COMMENT 'SHA-256 of body_json, hexadecimal',
    url           STRING    NOT NULL COMMENT 'address that was asked, without secrets',
    api_version   STRING    NOT NULL COMMENT 'api-version of the request',
    fetched_at    TIMESTAMP NOT NULL COMMENT 'Date of the answer, UTC',
    body_json     STRING    NOT NULL COMMENT 'the answer, as text',
    _run_id       STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at    TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash         STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, resource, object_key, content_hash)
)
COMMENT 'One row per distinct answer.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', fetched_month STRING NOT NULL COMMENT 'month in which it was fetched, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'insert', 'adolake.not-hashed' = 'body_json')
