-- Written by: extract/users.rs: Graph users and service principals.
CREATE TABLE users (
    descriptor      STRING    NOT NULL COMMENT 'subject descriptor',
    identity_id     STRING             COMMENT 'storage key, GUID; joins the identity ids elsewhere; null where it could not be resolved',
    display_name    STRING             COMMENT 'displayName',
    mail_address    STRING             COMMENT 'mailAddress',
    principal_name  STRING             COMMENT 'principalName',
    domain          STRING             COMMENT 'tenant or domain',
    origin          STRING             COMMENT 'aad | msa | vsts | ad',
    origin_id       STRING             COMMENT 'id in the origin directory',
    subject_kind    STRING             COMMENT 'user | servicePrincipal',
    meta_type       STRING             COMMENT 'member | guest | application | managedIdentity',
    is_service      BOOLEAN   NOT NULL COMMENT 'true for service principals and built-in service identities',
    first_seen_at   TIMESTAMP NOT NULL COMMENT 'Date of the answer that first listed it, UTC',
    _run_id         STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at      TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash           STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, descriptor)
)
COMMENT 'One row per person or service identity, its latest state.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge', 'adolake.keep-first' = 'first_seen_at', 'adolake.keep-when-null' = 'identity_id')
