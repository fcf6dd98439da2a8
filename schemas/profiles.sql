-- Written by: extract/organizations.rs: the signed-in identity.
CREATE TABLE profiles (
    id             STRING    NOT NULL COMMENT 'identity id, GUID',
    display_name   STRING             COMMENT 'displayName',
    email_address  STRING             COMMENT 'emailAddress',
    public_alias   STRING             COMMENT 'publicAlias',
    core_revision  BIGINT             COMMENT 'coreRevision',
    time_stamp     TIMESTAMP          COMMENT 'timeStamp, UTC',
    revision       BIGINT             COMMENT 'revision',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, id)
)
COMMENT 'One row per identity that has signed in.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge')
