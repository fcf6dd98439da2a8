-- Written by: extract/organizations.rs: the accounts that the signed-in identity can see, and the configured ones.
CREATE TABLE organizations (
    account_id      STRING             COMMENT 'accountId, GUID; null where accounts cannot be read',
    account_name    STRING             COMMENT 'accountName as Azure DevOps spells it',
    account_uri     STRING             COMMENT 'accountUri',
    account_status  STRING             COMMENT 'none | enabled | disabled | deleted | moved',
    is_configured   BOOLEAN   NOT NULL COMMENT 'true where the configuration names it',
    first_seen_at   TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    _run_id         STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at      TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash           STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization)
)
COMMENT 'One row per organization.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at')
