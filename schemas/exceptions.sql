-- Written by: checks/settings.rs: the configuration, resolved.
CREATE TABLE exceptions (
    run_id                STRING    NOT NULL COMMENT 'the check run; -> check_runs.run_id',
    exception_index       INT       NOT NULL COMMENT 'position in the configuration, from 0',
    pattern               STRING    NOT NULL COMMENT 'match, as configured',
    repository_pattern    STRING    NOT NULL COMMENT 'organization/project/repository globs, the part before ! or @',
    pull_request_pattern  STRING             COMMENT 'number or glob behind !; null where the exception is for pushes',
    commit_pattern        STRING             COMMENT 'commit or glob behind @, lower case; null where the exception is for pull requests',
    checks_json           STRING    NOT NULL COMMENT 'ids of the checks it applies to, as a JSON list',
    reason                STRING    NOT NULL COMMENT 'reason',
    approved_by           STRING             COMMENT 'approved-by',
    evidence              STRING             COMMENT 'address or file',
    evidence_sha256       STRING             COMMENT 'SHA-256 of the evidence file, hexadecimal; null for an address',
    expires_on            DATE      NOT NULL COMMENT 'last day on which a merge is covered, inclusive, in checks.time-zone',
    expires_before        TIMESTAMP NOT NULL COMMENT 'the instant at which that day ends, UTC',
    _run_id               STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at            TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                 STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, exception_index)
)
COMMENT 'One row per check run, organization and registered exception.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
