-- Written by: checks/settings.rs: the configuration, resolved.
CREATE TABLE repository_settings (
    run_id                      STRING    NOT NULL COMMENT 'the check run; -> check_runs.run_id',
    repository_id               STRING    NOT NULL COMMENT '-> repositories.repository_id',
    project_id                  STRING    NOT NULL COMMENT '-> projects.project_id',
    project                     STRING    NOT NULL COMMENT 'name of the project',
    repository                  STRING    NOT NULL COMMENT 'name of the repository',
    in_scope                    BOOLEAN   NOT NULL COMMENT 'in-scope',
    emergency_label             STRING             COMMENT 'emergency-label; null = none',
    service_identities_json     STRING    NOT NULL COMMENT 'service-identities as a JSON list of globs on unique names',
    require                     STRING    NOT NULL COMMENT 'any | all',
    accept_partially_succeeded  BOOLEAN   NOT NULL COMMENT 'accept-partially-succeeded',
    gone_since                  DATE               COMMENT 'gone-since: acknowledges that the repository is no longer visible',
    _run_id                     STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at                  TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash                       STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, repository_id)
)
COMMENT 'One row per check run and repository.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
